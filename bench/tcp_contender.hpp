// What a benchmark program sees of a system that talks over TCP: functions only, none of its
// headers.
#pragma once

#include <cstddef>
#include <string>

namespace bench {

/// The length of a request, and of its answer.
inline constexpr std::size_t tcp_message = 64;
/// How much the bulk transfer writes, and asks for, at a time.
inline constexpr std::size_t tcp_piece = 64UL * 1024;

/// One system, over loopback: a server in a thread of its own, its clients in another. The
/// functions give the nanoseconds of it all, connecting apart. A null function: it is not asked.
struct TcpContender {
  std::string name;
  /// `requests` in all over `connections`, each of which sends one, reads its answer, and goes on.
  double (*ping_pong)(int connections, int requests);
  /// `bytes` from a client to a server that reads them.
  double (*bulk)(std::size_t bytes);
};

/// Ours: streams.
TcpContender plait_streams();
/// Ours: Boost.Asio's sockets in coroutines, by use_coroutine.
TcpContender plait_use_coroutine();
/// Boost.Asio's sockets and callbacks.
TcpContender asio_callbacks();
/// epoll and the system calls, as one would write it in C.
TcpContender bare_epoll();

}  // namespace bench
