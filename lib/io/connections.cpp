// Making connections and servers.
#include <plait/io/connections.hpp>

#include <sys/socket.h>

#include <cerrno>
#include <exception>
#include <functional>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

#include <plait/core/exception_group.hpp>
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
using plait::detail::Handshake;
using plait::detail::LoopCore;
using plait::detail::OwnedFd;
using plait::detail::require_running_core;
using plait::detail::ServerState;
using plait::detail::SocketAddress;

// ---------------------------------------------------------------- connecting

// One address's error is thrown as it is; of several the first one's code, with all texts.
[[noreturn]] void throw_all(std::vector<std::exception_ptr> errors, bool as_group) {
  if (as_group) throw ExceptionGroup("create_connection failed", std::move(errors));
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

Coroutine<OwnedFd> connect_in_turn(LoopCore& core, std::vector<SocketAddress> addresses,
                                   bool all_errors) {
  std::vector<std::exception_ptr> errors;
  for (const SocketAddress& address : addresses) {
    try {
      auto connecting = plait::detail::connect_to(core, address);
      auto fd = co_await std::move(connecting);
      co_return fd;
    } catch (const std::system_error&) {
      errors.push_back(std::current_exception());
    }
  }
  throw_all(std::move(errors), all_errors);
}

// One that comes too late is closed.
Coroutine<OwnedFd> connect_staggered(LoopCore& core, std::vector<SocketAddress> addresses,
                                     Duration delay, bool all_errors) {
  std::vector<std::function<Coroutine<OwnedFd>()>> attempts;
  for (const SocketAddress& address : addresses) {
    attempts.push_back([&core, address] { return plait::detail::connect_to(core, address); });
  }
  auto race = staggered_race(std::move(attempts), delay);
  auto result = co_await std::move(race);
  if (!result.winner) throw_all(std::move(result.exceptions), all_errors);
  co_return std::move(*result.winner);
}

std::shared_ptr<Protocol> made_by(const ProtocolFactory& factory) {
  if (auto protocol = factory ? factory() : nullptr) return protocol;
  throw std::invalid_argument("the protocol factory is empty, or has made no protocol");
}

Coroutine<Connection> begin(LoopCore& core, OwnedFd fd, const ProtocolFactory& factory,
                            const StreamOptions& options, std::string host) {
  auto transport = std::make_shared<FdTransport>(core, std::move(fd), FdTransport::Kind::socket);
  auto protocol = made_by(factory);
  if (!options.ssl) {
    transport->start(protocol);
    co_return Connection(std::move(transport), std::move(protocol));
  }
  plait::detail::TlsSide side;
  side.host = options.server_hostname.value_or(std::move(host));
  side.handshake_timeout = options.ssl_handshake_timeout;
  const Handshake handshake(core);
  auto tls = plait::detail::begin_tls(core, transport, options.ssl, side, protocol,
                                      handshake.on_end(), {});
  auto begun = Handshake::wait(handshake, std::move(tls));
  auto over = co_await std::move(begun);
  co_return Connection(std::move(over), std::move(protocol));
}

void check_stream_socket(int fd) {
  int type = 0;
  socklen_t size = sizeof type;
  const bool is_socket = ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0;
  if (is_socket && type == SOCK_STREAM) return;
  throw std::invalid_argument("descriptor " + std::to_string(fd) + " is no stream socket");
}

// A coroutine that never runs closes the socket, too.
Coroutine<Connection> connection_of(ProtocolFactory factory, OwnedFd fd, StreamOptions options) {
  LoopCore& core = require_running_core();
  check_stream_socket(fd.get());
  auto begun = begin(core, std::move(fd), factory, options, {});
  co_return co_await std::move(begun);
}

}  // namespace

Coroutine<Connection> create_connection(ProtocolFactory factory, std::string host,
                                        std::uint16_t port, StreamOptions options) {
  LoopCore& core = require_running_core();
  auto resolving = plait::detail::resolve(core, host, port, plait::detail::Purpose::connect);
  auto addresses = co_await std::move(resolving);
  auto attempt = options.happy_eyeballs_delay && addresses.size() > 1
                     ? connect_staggered(core, std::move(addresses), *options.happy_eyeballs_delay,
                                         options.all_errors)
                     : connect_in_turn(core, std::move(addresses), options.all_errors);
  auto fd = co_await std::move(attempt);
  auto begun = begin(core, std::move(fd), factory, options, std::move(host));
  co_return co_await std::move(begun);
}

Coroutine<Connection> create_connection(ProtocolFactory factory, int sock, StreamOptions options) {
  return connection_of(std::move(factory), OwnedFd(sock), std::move(options));
}

Coroutine<Connection> create_unix_connection(ProtocolFactory factory, std::filesystem::path path,
                                             StreamOptions options) {
  LoopCore& core = require_running_core();
  auto connecting = plait::detail::connect_to(core, plait::detail::unix_address(path));
  auto fd = co_await std::move(connecting);
  auto begun = begin(core, std::move(fd), factory, options, {});
  co_return co_await std::move(begun);
}

Coroutine<std::shared_ptr<Transport>> start_tls(std::shared_ptr<Transport> transport,
                                                std::shared_ptr<Protocol> protocol,
                                                std::shared_ptr<void> context,
                                                StartTlsOptions options) {
  LoopCore& core = require_running_core();
  const Handshake handshake(core);
  plait::detail::TlsSide side;
  side.is_server = options.server_side;
  side.host = options.server_hostname.value_or("");
  side.handshake_timeout = options.ssl_handshake_timeout;
  auto tls = plait::detail::upgrade_to_tls(core, transport, std::move(context), side,
                                           std::move(protocol), handshake.on_end(), {});
  auto begun = Handshake::wait(handshake, std::move(tls));
  co_return co_await std::move(begun);
}

// ---------------------------------------------------------------- servers

namespace {

// What another of the host's addresses may make good for: IPv6 is off, or an address is not here.
bool is_missing_address(const std::system_error& error) {
  return error.code() == std::errc::address_family_not_supported ||
         error.code() == std::errc::address_not_available;
}

std::vector<OwnedFd> listen_at_all(const std::vector<SocketAddress>& addresses,
                                   const StreamOptions& options) {
  std::vector<OwnedFd> sockets;
  std::exception_ptr missing;
  for (const SocketAddress& address : addresses) {
    try {
      sockets.push_back(plait::detail::listen_at(
          address, {.backlog = options.backlog, .reuse_port = options.reuse_port}));
    } catch (const std::system_error& error) {
      if (!is_missing_address(error)) throw;
      missing = std::current_exception();
    }
  }
  if (sockets.empty()) std::rethrow_exception(missing);
  return sockets;
}

std::shared_ptr<Server> make_server(LoopCore& core, std::vector<OwnedFd> sockets,
                                    ProtocolFactory factory, const StreamOptions& options,
                                    std::optional<std::filesystem::path> remove_at_end) {
  auto how = plait::detail::ServerOptions{.tls = options.ssl,
                                          .handshake_timeout = options.ssl_handshake_timeout,
                                          .remove_at_end = std::move(remove_at_end)};
  const auto state =
      std::make_shared<ServerState>(core, std::move(sockets), std::move(factory), std::move(how));
  if (options.start_serving) state->start_serving();
  return std::make_shared<Server>(state);
}

void check_factory(const ProtocolFactory& factory) {
  if (!factory) throw std::invalid_argument("a server needs a callback, and this one is empty");
}

Coroutine<std::shared_ptr<Server>> server_of(ProtocolFactory factory, OwnedFd fd,
                                             StreamOptions options) {
  LoopCore& core = require_running_core();
  check_factory(factory);
  check_stream_socket(fd.get());
  if (::listen(fd.get(), options.backlog) != 0) {
    throw std::system_error(errno, std::generic_category(), "listen()");
  }
  std::vector<OwnedFd> sockets;
  sockets.push_back(std::move(fd));
  co_return make_server(core, std::move(sockets), std::move(factory), options, std::nullopt);
}

}  // namespace

Coroutine<std::shared_ptr<Server>> create_server(ProtocolFactory factory, std::string host,
                                                 std::uint16_t port, StreamOptions options) {
  LoopCore& core = require_running_core();
  check_factory(factory);
  auto resolving =
      plait::detail::resolve(core, std::move(host), port, plait::detail::Purpose::listen);
  const auto addresses = co_await std::move(resolving);
  co_return make_server(core, listen_at_all(addresses, options), std::move(factory), options,
                        std::nullopt);
}

Coroutine<std::shared_ptr<Server>> create_server(ProtocolFactory factory, int sock,
                                                 StreamOptions options) {
  return server_of(std::move(factory), OwnedFd(sock), std::move(options));
}

Coroutine<std::shared_ptr<Server>> create_unix_server(ProtocolFactory factory,
                                                      std::filesystem::path path,
                                                      StreamOptions options) {
  LoopCore& core = require_running_core();
  check_factory(factory);
  std::vector<SocketAddress> address;
  address.push_back(plait::detail::unix_address(path));
  std::optional<std::filesystem::path> remove_at_end;
  if (options.cleanup_socket) remove_at_end = path;
  co_return make_server(core, listen_at_all(address, options), std::move(factory), options,
                        std::move(remove_at_end));
}

}  // namespace plait::aio
