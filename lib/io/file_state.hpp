// An open file, whatever runs its operations.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include <plait/core/coroutine.hpp>
#include <plait/loop/detail/loop_core.hpp>

#include "io/owned_fd.hpp"

namespace plait::detail {

/// The operations of aio::File. One at a time runs, in the order in which they were added, whoever
/// waits for them; what has begun goes on when its waiter is cancelled.
class FileState {
 public:
  FileState() = default;
  virtual ~FileState() = default;
  FileState(const FileState&) = delete;
  FileState& operator=(const FileState&) = delete;

  virtual Coroutine<std::string> read(std::ptrdiff_t n) = 0;
  virtual Coroutine<std::size_t> write(std::string data) = 0;
  virtual Coroutine<std::uint64_t> seek(std::int64_t offset, int whence) = 0;
  virtual Coroutine<> close() = 0;
};

/// By the calls that block, in threads of the loop's default executor.
std::shared_ptr<FileState> make_thread_file(OwnedFd fd, std::string name);
/// By io_uring, if plait is built on it and the file is a regular one; else in threads. Others may
/// block for ever, and writing to them may raise SIGPIPE.
std::shared_ptr<FileState> make_file(LoopCore& core, OwnedFd fd, std::string name);

/// How many bytes to read at a time, when `read` were read already.
inline std::size_t next_read(std::size_t left, std::size_t read) noexcept {
  static constexpr std::size_t least = 256UL * 1024;
  return std::min(left, std::max(least, read));
}

/// What a negative n means to read().
inline std::size_t wanted_bytes(std::ptrdiff_t n) noexcept {
  return n < 0 ? std::numeric_limits<std::size_t>::max() : static_cast<std::size_t>(n);
}

[[noreturn]] inline void throw_file_error(int error, const char* call, const std::string& name) {
  throw std::system_error(error, std::generic_category(), std::string(call) + " " + name);
}

/// Virtual time waits for it.
class OutsideWork {
 public:
  explicit OutsideWork(LoopCore& core) noexcept : core_(core) { core_.expect_outside(1); }
  ~OutsideWork() { core_.expect_outside(-1); }
  OutsideWork(const OutsideWork&) = delete;
  OutsideWork& operator=(const OutsideWork&) = delete;

 private:
  LoopCore& core_;
};

}  // namespace plait::detail
