// A socketpair and nothing else; CPython in a process of its own.
#include "processes_peers.hpp"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "harness.hpp"

namespace bench {
namespace {

// False: the other end was closed.
bool read_all(int socket, char* to, std::size_t size) {
  while (size > 0) {
    const ssize_t got = ::read(socket, to, size);
    if (got <= 0) return false;
    to += got;
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

bool write_all(int socket, const char* from, std::size_t size) {
  while (size > 0) {
    const ssize_t put = ::write(socket, from, size);
    if (put <= 0) return false;
    from += put;
    size -= static_cast<std::size_t>(put);
  }
  return true;
}

}  // namespace

template <class Serve>
BarePeer::BarePeer(Serve serve) {
  int ends[2];
  require(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0, "socketpair()");
  static constexpr int buffer = 1 << 20;
  for (const int end : ends) {
    ::setsockopt(end, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
    ::setsockopt(end, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
  }
  pid_ = ::fork();
  if (pid_ == 0) {
    ::close(ends[0]);
    serve(ends[1]);
    ::_exit(0);
  }
  ::close(ends[1]);
  socket_ = ends[0];
}

BarePeer BarePeer::echo(std::size_t message) {
  return BarePeer([message](int socket) {
    std::vector<char> bytes(message);
    while (read_all(socket, bytes.data(), message) && write_all(socket, bytes.data(), message)) {
    }
  });
}

BarePeer BarePeer::swallow(std::size_t size) {
  return BarePeer([size](int socket) {
    char first = 0;
    while (read_all(socket, &first, 1)) {
      std::vector<char> bytes(size);  // fresh each time, as what a job gets is
      bytes[0] = first;
      if (!read_all(socket, bytes.data() + 1, size - 1) || !write_all(socket, &first, 1)) return;
    }
  });
}

BarePeer::~BarePeer() {
  ::close(socket_);
  ::waitpid(pid_, nullptr, 0);
}

double bare_round_trip(const BarePeer& echo, std::size_t message, unsigned rounds) {
  std::vector<char> bytes(message, 'x');
  const double all = nanoseconds_of([&] {
    for (unsigned round = 0; round < rounds; ++round) {
      require(write_all(echo.socket(), bytes.data(), message), "write()");
      require(read_all(echo.socket(), bytes.data(), message), "read()");
    }
  });
  return all / rounds;
}

double bare_transfer(const BarePeer& swallower, std::size_t size) {
  const std::vector<char> bytes(size, 'x');
  char done = 0;
  return nanoseconds_of([&] {
    require(write_all(swallower.socket(), bytes.data(), size), "write()");
    require(read_all(swallower.socket(), &done, 1), "read()");
  });
}

double cpython(const std::string& load, std::size_t count) {
  const std::string command = "python3 " PROCESSES_CPYTHON " " + load + " " + std::to_string(count);
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(::popen(command.c_str(), "r"),
                                                             ::pclose);
  require(pipe != nullptr, "popen()");
  std::array<char, 64> line{};
  require(std::fgets(line.data(), line.size(), pipe.get()), "CPython's figure");
  return std::strtod(line.data(), nullptr);
}

}  // namespace bench
