// Making connections and servers.
#include <plait/io/connections.hpp>

#include <unistd.h>

#include <optional>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

#include <plait/loop/detail/loop_core.hpp>
#include <plait/loop/event_loop.hpp>
#include <plait/loop/staggered.hpp>

#include "io/addresses.hpp"
#include "io/fd_transport.hpp"
#include "io/owned_fd.hpp"
#include "io/server_state.hpp"
#include "io/tls_transport.hpp"

namespace plait::aio {
namespace {

using plait::detail::FdTransport;
using plait::detail::LoopCore;
using plait::detail::OwnedFd;
using plait::detail::require_running_core;
using plait::detail::ServerState;
using plait::detail::SocketAddress;

// ---------------------------------------------------------------- connecting

// One address's error is thrown as it is; of several the first one's code, with all texts.
[[noreturn]] void throw_all(const std::vector<std::exception_ptr>& errors) {
  std::string texts;
  std::error_code code;
  for (const std::exception_ptr& error : errors) {
    try {
      std::rethrow_exception(error);
    } catch (const std::system_error& failure) {
      if (errors.size() == 1) throw;
      if (!code) code = failure.code();
      texts += (texts.empty() ? "" : ", ") + std::string(failure.what());
    }
  }
  throw std::system_error(code, "Multiple exceptions: " + texts);
}

Coroutine<int> connect_in_turn(LoopCore& core, std::vector<SocketAddress> addresses) {
  std::vector<std::exception_ptr> errors;
  for (const SocketAddress& address : addresses) {
    try {
      co_return co_await plait::detail::connect_to(core, address);
    } catch (const std::system_error&) {
      errors.push_back(std::current_exception());
    }
  }
  throw_all(errors);
}

// One that comes too late is closed.
Coroutine<OwnedFd> attempt(LoopCore& core, SocketAddress address) {
  co_return OwnedFd(co_await plait::detail::connect_to(core, address));
}

Coroutine<int> connect_staggered(LoopCore& core, std::vector<SocketAddress> addresses,
                                 Duration delay) {
  std::vector<std::function<Coroutine<OwnedFd>()>> attempts;
  for (const SocketAddress& address : addresses) {
    attempts.push_back([&core, address] { return attempt(core, address); });
  }
  auto race = staggered_race(std::move(attempts), delay);
  auto result = co_await std::move(race);
  if (!result.winner) throw_all(result.exceptions);
  co_return result.winner->release();
}

std::shared_ptr<Protocol> made_by(const ProtocolFactory& factory) {
  if (auto protocol = factory ? factory() : nullptr) return protocol;
  throw std::invalid_argument("the protocol factory is empty, or has made no protocol");
}

// Waits for the handshake.
Coroutine<Connection> begin_tls(LoopCore& core, std::shared_ptr<FdTransport> below,
                                std::shared_ptr<Protocol> protocol, std::shared_ptr<void> context,
                                std::string host) {
  auto over = core.loop().create_promise();
  const auto on_handshake = [over](const std::exception_ptr& error) mutable {
    if (over.get_future().done()) return;  // who waited was cancelled
    error ? over.set_exception(error) : over.set_result();
  };
  plait::detail::TlsSide side;
  side.host = std::move(host);
  auto tls =
      plait::detail::start_tls(core, below, std::move(context), side, protocol, on_handshake, {});
  try {
    co_await over.get_future();
  } catch (...) {
    tls->abort();
    throw;
  }
  co_return Connection(std::move(tls), std::move(protocol));
}

Coroutine<Connection> begin(LoopCore& core, int fd, const ProtocolFactory& factory,
                            std::shared_ptr<void> context, std::string host) {
  auto transport = std::make_shared<FdTransport>(core, fd, FdTransport::Kind::socket);
  auto protocol = made_by(factory);
  if (context) {
    auto begun = begin_tls(core, std::move(transport), std::move(protocol), std::move(context),
                           std::move(host));
    co_return co_await std::move(begun);
  }
  transport->start(protocol);
  co_return Connection(std::move(transport), std::move(protocol));
}

}  // namespace

Coroutine<Connection> create_connection(ProtocolFactory factory, std::string host,
                                        std::uint16_t port, StreamOptions options) {
  LoopCore& core = require_running_core();
  auto addresses =
      co_await plait::detail::resolve(core, host, port, plait::detail::Purpose::connect);
  auto attempt = options.happy_eyeballs_delay && addresses.size() > 1
                     ? connect_staggered(core, std::move(addresses), *options.happy_eyeballs_delay)
                     : connect_in_turn(core, std::move(addresses));
  const int fd = co_await std::move(attempt);
  auto begun = begin(core, fd, factory, std::move(options.ssl), std::move(host));
  co_return co_await std::move(begun);
}

Coroutine<Connection> create_unix_connection(ProtocolFactory factory, std::filesystem::path path,
                                             StreamOptions options) {
  LoopCore& core = require_running_core();
  const int fd = co_await plait::detail::connect_to(core, plait::detail::unix_address(path));
  auto begun = begin(core, fd, factory, std::move(options.ssl), {});
  co_return co_await std::move(begun);
}

// ---------------------------------------------------------------- servers

namespace {

std::vector<int> listen_at_all(const std::vector<SocketAddress>& addresses,
                               const StreamOptions& options) {
  std::vector<int> sockets;
  try {
    for (const SocketAddress& address : addresses) {
      sockets.push_back(plait::detail::listen_at(
          address, {.backlog = options.backlog, .reuse_port = options.reuse_port}));
    }
    return sockets;
  } catch (...) {
    for (const int fd : sockets) ::close(fd);
    throw;
  }
}

std::shared_ptr<Server> make_server(LoopCore& core, const std::vector<SocketAddress>& addresses,
                                    ProtocolFactory factory, const StreamOptions& options,
                                    std::optional<std::filesystem::path> remove_at_end) {
  if (!factory) throw std::invalid_argument("a server needs a callback, and this one is empty");
  const auto state =
      std::make_shared<ServerState>(core, listen_at_all(addresses, options), std::move(factory),
                                    options.ssl, std::move(remove_at_end));
  if (options.start_serving) state->start_serving();
  return std::make_shared<Server>(state);
}

}  // namespace

Coroutine<std::shared_ptr<Server>> create_server(ProtocolFactory factory, std::string host,
                                                 std::uint16_t port, StreamOptions options) {
  LoopCore& core = require_running_core();
  const auto addresses =
      co_await plait::detail::resolve(core, std::move(host), port, plait::detail::Purpose::listen);
  co_return make_server(core, addresses, std::move(factory), options, std::nullopt);
}

Coroutine<std::shared_ptr<Server>> create_unix_server(ProtocolFactory factory,
                                                      std::filesystem::path path,
                                                      StreamOptions options) {
  LoopCore& core = require_running_core();
  std::vector<SocketAddress> address;
  address.push_back(plait::detail::unix_address(path));
  std::optional<std::filesystem::path> remove_at_end;
  if (options.cleanup_socket) remove_at_end = path;
  co_return make_server(core, address, std::move(factory), options, std::move(remove_at_end));
}

}  // namespace plait::aio
