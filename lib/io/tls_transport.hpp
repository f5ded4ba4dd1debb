// TLS over another transport.
#pragma once

#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include <plait/core/clock.hpp>
#include <plait/core/coroutine.hpp>
#include <plait/core/promise.hpp>
#include <plait/io/transport.hpp>
#include <plait/loop/detail/loop_core.hpp>
#include <plait/loop/event_loop.hpp>

namespace plait::detail {

class FdTransport;

/// Which side of a TLS connection this is.
struct TlsSide {
  bool is_server = false;
  std::string host{};  ///< of a client: the server's name, which its certificate has to bear
  Duration handshake_timeout = std::chrono::seconds(60);
};

using OnHandshake = std::function<void(std::exception_ptr)>;

/// Makes TLS of what `below` carries, which was not started yet: `protocol` is told of the
/// connection after the handshake, `on_handshake` before that, with an error if it has failed.
/// `context` is a boost::asio::ssl::context. @throws RuntimeError where plait was built without TLS
std::shared_ptr<aio::Transport> begin_tls(LoopCore& core, const std::shared_ptr<FdTransport>& below,
                                          std::shared_ptr<void> context, const TlsSide& side,
                                          std::shared_ptr<aio::Protocol> protocol,
                                          OnHandshake on_handshake, std::function<void()> on_lost);
/// As above, of a connection that `protocol` has heard of already. `take_unread`, which may be
/// null, is told of the new transport and gives what was received and is meant for it.
/// @throws std::invalid_argument for what cannot be upgraded, also
std::shared_ptr<aio::Transport> upgrade_to_tls(
    LoopCore& core, const std::shared_ptr<aio::Transport>& below, std::shared_ptr<void> context,
    const TlsSide& side, std::shared_ptr<aio::Protocol> protocol, OnHandshake on_handshake,
    const std::function<std::string(const std::shared_ptr<aio::Transport>&)>& take_unread);

/// Waits for the end of a handshake. Loop thread only.
class Handshake {
 public:
  explicit Handshake(LoopCore& core) : over_(core.loop().create_promise()) {}

  OnHandshake on_end() const {
    return [over = over_](const std::exception_ptr& error) mutable {
      if (over.get_future().done()) return;  // who waited was cancelled
      error ? over.set_exception(error) : over.set_result();
    };
  }
  /// Gives `tls` again. Who gives up closes the connection.
  static Coroutine<std::shared_ptr<aio::Transport>> wait(Handshake handshake,
                                                         std::shared_ptr<aio::Transport> tls) {
    try {
      co_await handshake.over_.get_future();
    } catch (...) {
      tls->abort();
      throw;
    }
    co_return tls;
  }

 private:
  Promise<void> over_;
};

}  // namespace plait::detail
