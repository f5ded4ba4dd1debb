// Making sockets for datagrams.
#include <plait/io/datagrams.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

#include <plait/loop/detail/loop_core.hpp>

#include "io/addresses.hpp"
#include "io/datagram_socket.hpp"

namespace plait::detail {
namespace {

using Addresses = std::vector<SocketAddress>;

int make_datagram_socket(const SocketAddress* local, const SocketAddress* remote,
                         const aio::DatagramOptions& options) {
  const int fd = make_socket(local ? *local : *remote, SOCK_DGRAM);
  try {
    if (options.reuse_port) set_option(fd, SOL_SOCKET, SO_REUSEPORT);
    if (options.allow_broadcast) set_option(fd, SOL_SOCKET, SO_BROADCAST);
    if (local) bind_to(fd, *local);
    if (remote && ::connect(fd, remote->get(), remote->size) != 0) {
      throw std::system_error(errno, std::generic_category(), "connecting to " + remote->text());
    }
    return fd;
  } catch (...) {
    ::close(fd);
    throw;
  }
}

// The first of the family that the other side is of.
const SocketAddress* choose(const Addresses& addresses, const SocketAddress* other) {
  if (addresses.empty()) return nullptr;
  if (!other) return &addresses.front();
  const auto found = std::ranges::find_if(addresses, [&](const SocketAddress& address) {
    return address.storage.ss_family == other->storage.ss_family;
  });
  if (found != addresses.end()) return &*found;
  throw std::invalid_argument("local_addr and remote_addr have no family of addresses in common");
}

}  // namespace
}  // namespace plait::detail

namespace plait::aio {

using plait::detail::Purpose;

Coroutine<DatagramEndpoint> create_datagram_endpoint(DatagramFactory factory,
                                                     DatagramOptions options) {
  if (!options.local_addr && !options.remote_addr) {
    throw std::invalid_argument(
        "create_datagram_endpoint() needs local_addr or remote_addr: {\"0.0.0.0\", 0} for any");
  }
  auto& core = plait::detail::require_running_core();
  plait::detail::Addresses local, remote;
  if (options.remote_addr) {
    const auto& [host, port] = *options.remote_addr;
    remote = co_await plait::detail::resolve(core, host, port, Purpose::connect);
  }
  if (options.local_addr) {
    const auto& [host, port] = *options.local_addr;
    local = co_await plait::detail::resolve(core, host, port, Purpose::listen);
  }
  const auto* const to = plait::detail::choose(remote, nullptr);
  const auto* const from = plait::detail::choose(local, to);
  const int fd = plait::detail::make_datagram_socket(from, to, options);
  const auto socket = std::make_shared<plait::detail::DatagramSocket>(core, fd);
  auto protocol = factory ? factory() : nullptr;
  if (!protocol) throw std::invalid_argument("the protocol factory is empty, or has made none");
  socket->start(protocol);
  co_return DatagramEndpoint(socket, std::move(protocol));
}

}  // namespace plait::aio
