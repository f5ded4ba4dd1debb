// Accepting connections.
#include "io/server_state.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include <plait/core/errors.hpp>
#include <plait/io/server.hpp>
#include <plait/loop/event_loop.hpp>

#include "io/fd_transport.hpp"
#include "io/socket_name.hpp"
#include "io/tls_transport.hpp"

namespace plait::detail {
namespace {

// How many connections are accepted before others have their turn.
constexpr int accepts_at_a_time = 100;
// How long accepting pauses where there are no descriptors left.
constexpr Duration pause_of_accepting = std::chrono::seconds(1);

std::uint64_t inode_of(const std::filesystem::path& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

bool out_of_resources(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

}  // namespace

ServerState::ServerState(LoopCore& core, std::vector<OwnedFd> sockets, aio::ProtocolFactory factory,
                         ServerOptions options)
    : core_(core.shared_from_this()), factory_(std::move(factory)), options_(std::move(options)) {
  for (OwnedFd& fd : sockets) {
    listeners_.push_back(std::make_shared<Listener>(core, std::move(fd)));
  }
  if (options_.remove_at_end) inode_ = inode_of(*options_.remove_at_end);
}

void ServerState::check_not_closed() const {
  if (stage_ == Stage::closed) throw RuntimeError("the server is closed: start another one");
}

void ServerState::start_serving() {
  check_not_closed();
  if (std::exchange(stage_, Stage::serving) == Stage::serving) return;
  for (const auto& listener : listeners_) listen(listener);
}

// ---------------------------------------------------------------- accepting

void ServerState::listen(const std::shared_ptr<Listener>& listener) {
  if (listener->watch.closed()) return;
  listener->watch.when_readable(
      [weak = weak_from_this(), listener](const boost::system::error_code& error) {
        const auto self = weak.lock();
        if (!error && self && self->is_serving()) self->accept_all(listener);
      });
}

void ServerState::accept_all(const std::shared_ptr<Listener>& listener) {
  for (int i = 0; i < accepts_at_a_time && is_serving(); ++i) {
    OwnedFd fd(::accept4(listener->watch.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd.get() >= 0) {
      accepted(std::move(fd));
    } else if (out_of_resources(errno)) {
      return pause_accepting(listener, errno);
    } else if (errno != EINTR && errno != ECONNABORTED) {
      break;
    }
  }
  if (is_serving()) listen(listener);
}

void ServerState::accepted(OwnedFd fd) {
  auto client = clients_.end();
  try {
    client = clients_.emplace(client);
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // not for Unix sockets
    const auto transport =
        std::make_shared<FdTransport>(*core_, std::move(fd), FdTransport::Kind::socket);
    auto on_lost = [self = shared_from_this(), client] { self->client_gone(client); };
    *client = transport;
    if (!options_.tls) return transport->start(factory_(), std::move(on_lost));
    TlsSide side;
    side.is_server = true;
    side.handshake_timeout = options_.handshake_timeout;
    // A failed handshake is the client's business; the connection is closed.
    const auto ignore = [](const std::exception_ptr&) {};
    begin_tls(*core_, transport, options_.tls, side, factory_(), ignore, std::move(on_lost));
  } catch (...) {
    core_->report("Error on transport creation for incoming connection", std::current_exception());
    if (client != clients_.end()) client_gone(client);
  }
}

// The connections wait in the meantime; those that end make room.
void ServerState::pause_accepting(const std::shared_ptr<Listener>& listener, int error) {
  core_->report("socket.accept() out of system resource",
                std::make_exception_ptr(
                    std::system_error(error, std::generic_category(), "accepting connections")));
  core_->loop().call_later(pause_of_accepting, [weak = weak_from_this(), listener] {
    const auto self = weak.lock();
    if (self && self->is_serving()) self->listen(listener);
  });
}

void ServerState::client_gone(Clients::iterator client) {
  clients_.erase(client);
  if (stage_ == Stage::closed && clients_.empty()) all_closed_.open();
}

// ---------------------------------------------------------------- its end

void ServerState::close() noexcept {
  if (std::exchange(stage_, Stage::closed) == Stage::closed) return;
  // Who waits for them holds the listeners: dropping them here would close nothing.
  for (const auto& listener : listeners_) listener->watch.close();
  listeners_.clear();
  closing_.open();
  const auto& path = options_.remove_at_end;
  if (path && inode_ != 0 && inode_of(*path) == inode_) {
    std::error_code ignored;
    std::filesystem::remove(*path, ignored);
  }
  if (clients_.empty()) all_closed_.open();
}

void ServerState::close_clients(bool at_once) {
  for (const auto& client : Clients(clients_)) {
    if (const auto transport = client.lock()) {
      at_once ? transport->abort() : transport->close();
    }
  }
}

Coroutine<> ServerState::wait_closed(std::shared_ptr<ServerState> self) {
  co_await make_coroutine<void>(new SignalWait<void>(self->all_closed_, "Server.wait_closed()"));
}

Coroutine<> ServerState::serve_forever(std::shared_ptr<ServerState> self) {
  if (self->serving_forever_) {
    throw RuntimeError("the server is already being awaited on serve_forever()");
  }
  self->start_serving();
  struct AtEnd {
    ~AtEnd() {
      server.serving_forever_ = false;
      server.close();
    }
    ServerState& server;
  } const at_end{*self};
  self->serving_forever_ = true;
  co_await make_coroutine<void>(new SignalWait<void>(self->closing_, "Server.serve_forever()"));
}

// ---------------------------------------------------------------- what it is

std::vector<std::string> ServerState::names() const {
  std::vector<std::string> names;
  for (const auto& listener : listeners_) names.push_back(own_name(listener->watch.fd()));
  return names;
}

std::uint16_t ServerState::port() const {
  if (listeners_.empty()) return 0;
  const std::string name = own_name(listeners_.front()->watch.fd());
  const auto colon = name.rfind(':');
  const bool has_port = colon != std::string::npos && !name.starts_with('/');
  return has_port ? static_cast<std::uint16_t>(std::stoul(name.substr(colon + 1))) : 0;
}

}  // namespace plait::detail

namespace plait::aio {

Server::Server(std::shared_ptr<plait::detail::ServerState> state) noexcept
    : state_(std::move(state)) {}
Server::~Server() { state_->close(); }

std::uint16_t Server::port() const { return state_->port(); }
std::vector<std::string> Server::sockets() const { return state_->names(); }
void Server::start_serving() { state_->start_serving(); }
void Server::close() { state_->close(); }
void Server::close_clients() { state_->close_clients(false); }
void Server::abort_clients() { state_->close_clients(true); }
bool Server::is_serving() const noexcept { return state_->is_serving(); }

Coroutine<> Server::wait_closed() { return plait::detail::ServerState::wait_closed(state_); }
Coroutine<> Server::serve_forever() { return plait::detail::ServerState::serve_forever(state_); }

}  // namespace plait::aio
