// A descriptor of a process pool.
#pragma once

#include <utility>

namespace plait::detail {

/// Owns a descriptor that a child made by fork() must not keep: it is closed there at once, as a
/// worker would otherwise not see that this process has ended.
class PrivateFd {
 public:
  PrivateFd() noexcept = default;
  /// Closes it where it throws. @throws std::bad_alloc
  explicit PrivateFd(int fd);
  /// A copy that lies above those descriptors at which a worker finds its own, so that none is
  /// overwritten before the worker has it. @throws std::system_error
  static PrivateFd copy_of(int fd);
  PrivateFd(PrivateFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  PrivateFd& operator=(PrivateFd other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~PrivateFd() { close(); }

  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  void close() noexcept;

 private:
  int fd_ = -1;
};

}  // namespace plait::detail
