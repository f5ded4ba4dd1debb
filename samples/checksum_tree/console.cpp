// Writing to standard error, and the counting that the time left needs.
#include "console.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

#include "progress_line.hpp"

namespace checksum_tree {
namespace {

constexpr std::chrono::milliseconds redraw_interval{100};
constexpr std::string_view to_line_start_and_clear = "\r\x1b[K";

// A bar in the background would scribble over what the foreground program shows.
bool can_draw() {
  const char* terminal = std::getenv("TERM");
  const bool is_dumb = terminal == nullptr || std::string_view(terminal) == "dumb";
  return ::isatty(STDERR_FILENO) == 1 && !is_dumb && ::tcgetpgrp(STDERR_FILENO) == ::getpgrp();
}

std::size_t terminal_width() {
  winsize size{};
  const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

// In one call, so that lines of several programs on one terminal stay lines. Nothing can be done
// where standard error itself fails.
void write_to_stderr(std::string_view text) {
  [[maybe_unused]] const ssize_t ignored = ::write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace

Console::Console(const Work& done) : done_(done), has_bar_(can_draw()) {}

Console::~Console() {
  if (counted_.valid()) counted_.request_stop();
  erase_bar();
}

void Console::say(std::string_view message) {
  erase_bar();
  std::string line = "checksum_tree: ";
  line += message;
  write_to_stderr(line += '\n');
}

void Console::count_in_background(CountWork count) {
  if (!has_bar_) return;
  counter_ = std::make_unique<plait::ThreadPoolExecutor>(1);
  counted_ = counter_->submit(
      [this, count = std::move(count)](std::stop_token stop) { count(std::move(stop), total_); });
}

void Console::tick() {
  if (!has_bar_) return;
  const auto now = plait::Clock::now();
  if (now < next_draw_) return;
  next_draw_ = now + redraw_interval;
  draw(now - started_);
}

void Console::erase_bar() {
  if (std::exchange(is_drawn_, false)) write_to_stderr(to_line_start_and_clear);
}

void Console::draw(plait::Clock::duration elapsed) {
  const Amount done{done_.files, done_.bytes};
  std::optional<Amount> total;
  if (counted_.done()) total = Amount{total_.files, total_.bytes};
  std::string text(to_line_start_and_clear);
  text += progress_line(done, total, elapsed, terminal_width() - 1);
  write_to_stderr(text);
  is_drawn_ = true;
}

}  // namespace checksum_tree
