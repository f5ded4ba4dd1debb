// What the kernel alone needs to carry bytes to another process and back: the floor of
// processes.cpp.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>

namespace bench {

/// A child process at the other end of a socketpair. Made before there are threads, as it is
/// forked.
class BarePeer {
 public:
  /// It sends back each message of `message` bytes.
  static BarePeer echo(std::size_t message);
  /// It reads `size` bytes into fresh memory, then says so with one byte.
  static BarePeer swallow(std::size_t size);
  BarePeer(const BarePeer&) = delete;
  BarePeer& operator=(const BarePeer&) = delete;
  ~BarePeer();

  int socket() const { return socket_; }

 private:
  template <class Serve>
  explicit BarePeer(Serve serve);

  int socket_ = -1;
  pid_t pid_ = 0;
};

/// Nanoseconds of one message there and back, over `rounds`.
double bare_round_trip(const BarePeer& echo, std::size_t message, unsigned rounds);
/// Nanoseconds until `size` bytes were read there.
double bare_transfer(const BarePeer& swallower, std::size_t size);

/// What processes_cpython.py gives for `load`, in nanoseconds.
double cpython(const std::string& load, std::size_t count);

}  // namespace bench
