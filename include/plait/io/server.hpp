// Server: sockets that accept connections.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <plait/core/coroutine.hpp>

namespace plait::detail {
class ServerState;
}

namespace plait::aio {

/// Accepts connections until it is closed or dropped; those that it has accepted live on.
///
/// **Python:** asyncio.Server. **Threads:** the loop's.
class Server {
 public:
  /// Made by start_server() and its like.
  explicit Server(std::shared_ptr<plait::detail::ServerState> state) noexcept;
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();

  /// Of its first socket; 0: it is closed, or a Unix server.
  std::uint16_t port() const;
  /// The addresses that it listens at; none: it is closed.
  std::vector<std::string> sockets() const;
  /// Begins to accept; doing so twice is no error. @throws RuntimeError once it is closed
  void start_serving();
  /// Accepts nothing more.
  void close();
  /// Closes the connections that it has accepted, once what was written to them is sent.
  void close_clients();
  /// As above, at once.
  void abort_clients();
  /// Waits until it is closed and its connections are.
  Coroutine<> wait_closed();
  /// Accepts until the task is cancelled, then closes. @throws RuntimeError once it is closed
  Coroutine<> serve_forever();
  /// It accepts connections.
  bool is_serving() const noexcept;

 private:
  std::shared_ptr<plait::detail::ServerState> state_;
};

}  // namespace plait::aio
