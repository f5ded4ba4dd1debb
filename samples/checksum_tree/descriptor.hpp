// A file descriptor that closes itself.
#pragma once

#include <unistd.h>

#include <utility>

namespace checksum_tree {

/// Owns a file descriptor; -1 owns nothing.
class Descriptor {
 public:
  /// Takes `fd` over.
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }

  /// The descriptor, for system calls.
  int get() const noexcept { return fd_; }

 private:
  int fd_;
};

}  // namespace checksum_tree
