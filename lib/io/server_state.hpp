// Sockets that listen, and the connections that they have brought.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <plait/core/clock.hpp>
#include <plait/core/coroutine.hpp>
#include <plait/io/connections.hpp>
#include <plait/loop/detail/loop_core.hpp>
#include <plait/loop/detail/signal_line.hpp>

#include "io/fd_watch.hpp"

namespace plait::detail {

class FdTransport;

/// How a server is made.
struct ServerOptions {
  std::shared_ptr<void> tls{};  ///< a context; null: none
  Duration handshake_timeout{};
  std::optional<std::filesystem::path> remove_at_end{};  ///< a Unix socket's file
};

//   made ── start_serving() ──▶ serving ── close() ──▶ closed
//     └──────────────────────── close() ─────────────────▲

/// What a Server is a handle of. Its connections keep it until they are closed. Loop thread only.
class ServerState final : public std::enable_shared_from_this<ServerState> {
 public:
  /// Of sockets that listen.
  ServerState(LoopCore& core, std::vector<OwnedFd> sockets, aio::ProtocolFactory factory,
              ServerOptions options);
  ~ServerState() { close(); }

  void start_serving();
  void close() noexcept;
  void close_clients(bool at_once);
  static Coroutine<> wait_closed(std::shared_ptr<ServerState> self);
  static Coroutine<> serve_forever(std::shared_ptr<ServerState> self);
  bool is_serving() const noexcept { return stage_ == Stage::serving && !core_->closed(); }
  std::uint16_t port() const;
  std::vector<std::string> names() const;

 private:
  enum class Stage { made, serving, closed };
  using Clients = std::list<std::weak_ptr<aio::Transport>>;
  struct Listener {
    Listener(LoopCore& core, OwnedFd fd) : watch(core, std::move(fd)) {}
    FdWatch watch;
  };

  void listen(const std::shared_ptr<Listener>& listener);
  void accept_all(const std::shared_ptr<Listener>& listener);
  void accepted(OwnedFd fd);
  void pause_accepting(const std::shared_ptr<Listener>& listener, int error);
  void client_gone(Clients::iterator client);
  void check_not_closed() const;

  const std::shared_ptr<LoopCore> core_;
  std::vector<std::shared_ptr<Listener>> listeners_;
  const aio::ProtocolFactory factory_;
  const ServerOptions options_;
  std::uint64_t inode_ = 0;  // of the file to remove: what lies there later may be another's
  Stage stage_ = Stage::made;
  bool serving_forever_ = false;
  Clients clients_;
  SignalLine closing_{"Server", false};
  SignalLine all_closed_{"Server", false};  // it, and its connections
};

}  // namespace plait::detail
