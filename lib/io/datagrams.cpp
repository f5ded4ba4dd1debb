// Making sockets for datagrams.
#include <plait/io/datagrams.hpp>

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <exception>
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

OwnedFd make_datagram_socket(const SocketAddress* local, const SocketAddress* remote,
                             const aio::DatagramOptions& options) {
  OwnedFd fd = make_socket(local ? *local : *remote, SOCK_DGRAM);
  if (options.reuse_port) set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT);
  if (options.allow_broadcast) set_option(fd.get(), SOL_SOCKET, SO_BROADCAST);
  if (local) bind_to(fd.get(), *local);
  if (remote && ::connect(fd.get(), remote->get(), remote->size) != 0) {
    throw std::system_error(errno, std::generic_category(), "connecting to " + remote->text());
  }
  return fd;
}

const SocketAddress* find_family(const Addresses& addresses, int family) {
  const auto found = std::ranges::find_if(
      addresses, [=](const SocketAddress& address) { return address.storage.ss_family == family; });
  return found != addresses.end() ? &*found : nullptr;
}

// Each once, in the order of the addresses.
std::vector<int> families_of(const Addresses& addresses) {
  std::vector<int> families;
  for (const SocketAddress& address : addresses) {
    const int family = address.storage.ss_family;
    if (std::ranges::find(families, family) == families.end()) families.push_back(family);
  }
  return families;
}

// Of the first family that both sides have and for which it succeeds; an empty list stands for any.
OwnedFd make_first_possible(const Addresses& local, const Addresses& remote,
                            const aio::DatagramOptions& options) {
  std::exception_ptr first;
  for (const int family : families_of(local.empty() ? remote : local)) {
    const SocketAddress* const from = find_family(local, family);
    const SocketAddress* const to = find_family(remote, family);
    if ((!local.empty() && !from) || (!remote.empty() && !to)) continue;
    try {
      return make_datagram_socket(from, to, options);
    } catch (const std::system_error&) {
      if (!first) first = std::current_exception();
    }
  }
  if (first) std::rethrow_exception(first);
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
  const auto socket = std::make_shared<plait::detail::DatagramSocket>(
      core, plait::detail::make_first_possible(local, remote, options));
  auto protocol = factory ? factory() : nullptr;
  if (!protocol) throw std::invalid_argument("the protocol factory is empty, or has made none");
  socket->start(protocol);
  co_return DatagramEndpoint(socket, std::move(protocol));
}

}  // namespace plait::aio
