// Opening files, and the public face of what is done with them.
#include <plait/io/file.hpp>

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <stdexcept>
#include <utility>

#include <plait/loop/event_loop.hpp>

#include "io/file_state.hpp"

namespace plait::detail {
namespace {

int flags_of(const std::string& mode) {
  std::string bare;
  bool plus = false;
  for (const char c : mode) {
    if (c == '+' && !plus) {
      plus = true;
    } else if (c != 'b' && c != 't') {
      bare += c;
    }
  }
  const int access = plus ? O_RDWR : bare == "r" ? O_RDONLY : O_WRONLY;
  if (bare == "r") return access;
  if (bare == "w") return access | O_CREAT | O_TRUNC;
  if (bare == "a") return access | O_CREAT | O_APPEND;
  if (bare == "x") return access | O_CREAT | O_EXCL;
  throw std::invalid_argument("open(): the mode \"" + mode +
                              "\" is none of r, w, a and x, with or without +");
}

OwnedFd open_file(const std::filesystem::path& path, int flags) {
  static constexpr mode_t everybody = 0666;  // less the umask
  OwnedFd fd(::open(path.c_str(), flags | O_CLOEXEC, everybody));
  if (fd.get() < 0) throw_file_error(errno, "opening", path.string());
  struct stat status{};
  if (::fstat(fd.get(), &status) == 0 && S_ISDIR(status.st_mode)) {
    throw_file_error(EISDIR, "opening", path.string());
  }
  if ((flags & O_APPEND) != 0) ::lseek(fd.get(), 0, SEEK_END);
  return fd;
}

}  // namespace
}  // namespace plait::detail

namespace plait::aio {

using plait::detail::FileState;

File::File(std::shared_ptr<FileState> state) noexcept : state_(std::move(state)) {}

Coroutine<std::string> File::read(std::ptrdiff_t n) { return state_->read(n); }

Coroutine<std::size_t> File::write(std::string data) { return state_->write(std::move(data)); }

Coroutine<std::uint64_t> File::seek(std::int64_t offset, int whence) {
  if (whence < 0 || whence > 2) {
    throw std::invalid_argument("seek(): whence is 0, 1 or 2, not " + std::to_string(whence));
  }
  return state_->seek(offset, whence);
}

Coroutine<> File::close() { return state_->close(); }

Coroutine<std::shared_ptr<File>> open(std::filesystem::path path, std::string mode) {
  const int flags = plait::detail::flags_of(mode);
  auto& core = plait::detail::require_running_core();
  auto opened = core.loop().run_in_executor(nullptr, &plait::detail::open_file, path, flags);
  auto fd = co_await std::move(opened);
  co_return std::make_shared<File>(plait::detail::make_file(core, std::move(fd), path.string()));
}

}  // namespace plait::aio
