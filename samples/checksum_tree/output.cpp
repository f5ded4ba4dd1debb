// Buffered writing of whole lines.
#include "output.hpp"

#include <limits.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "console.hpp"

namespace checksum_tree {
namespace {

void write_all(std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(STDOUT_FILENO, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw std::system_error(errno, std::generic_category(), "write error");
    text.remove_prefix(static_cast<std::size_t>(count));
  }
}

}  // namespace

Output::Output(Console& console) : console_(&console), is_terminal_(::isatty(STDOUT_FILENO) == 1) {}

void Output::add_line(std::string_view line) {
  if (lines_.size() + line.size() >= PIPE_BUF) flush();
  lines_ += line;
  lines_ += '\n';
}

void Output::flush() {
  if (lines_.empty()) return;
  if (is_terminal_) console_->erase_bar();
  write_all(lines_);
  lines_.clear();
}

void Output::close() {
  flush();
  if (::close(STDOUT_FILENO) != 0)
    throw std::system_error(errno, std::generic_category(), "write error");
}

}  // namespace checksum_tree
