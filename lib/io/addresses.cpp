// Names, addresses and sockets.
#include "io/addresses.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/system/system_error.hpp>
#include <plait/bridge/asio.hpp>
#include <plait/loop/detail/loop_core.hpp>
#include <plait/loop/event_loop.hpp>

#include "io/socket_name.hpp"
#include "loop/selector.hpp"

namespace plait::detail {
namespace {

using Tcp = boost::asio::ip::tcp;

[[noreturn]] void throw_errno(int error, const std::string& what) {
  throw std::system_error(error, std::generic_category(), what);
}

SocketAddress address_of(const Tcp::endpoint& endpoint) {
  SocketAddress address;
  address.size = static_cast<socklen_t>(endpoint.size());
  std::memcpy(&address.storage, endpoint.data(), endpoint.size());
  return address;
}

// A Unix socket's address may be in use by nobody: the file outlives who has bound it.
void remove_stale(const SocketAddress& address) {
  // SAFETY: the family says which type of address it is.
  const auto& unix_address = reinterpret_cast<const sockaddr_un&>(address.storage);
  std::error_code ignored;
  const std::filesystem::path path = unix_address.sun_path;
  if (path.empty() || !std::filesystem::is_socket(path, ignored)) return;
  std::filesystem::remove(path, ignored);
}

// Blocks, so it is for an executor's thread. Asio's own thread for this is one for all names.
std::vector<SocketAddress> look_up(const std::string& host, std::uint16_t port, Purpose purpose) {
  boost::asio::io_context unused;
  boost::system::error_code failed;
  const auto flags =
      (purpose == Purpose::listen ? Tcp::resolver::passive : Tcp::resolver::address_configured) |
      Tcp::resolver::numeric_service;
  const auto results = Tcp::resolver(unused).resolve(host, std::to_string(port), flags, failed);
  if (failed) throw std::system_error(failed, "resolving " + host);
  std::vector<SocketAddress> found;
  for (const auto& result : results) {
    const SocketAddress address = address_of(result.endpoint());
    const bool known = std::ranges::any_of(
        found, [&](const SocketAddress& other) { return other.text() == address.text(); });
    if (!known) found.push_back(address);
  }
  if (found.empty()) throw_errno(EADDRNOTAVAIL, "resolving " + host + " gave no address");
  return found;
}

}  // namespace

std::string SocketAddress::text() const { return socket_name(storage, size); }

Coroutine<std::vector<SocketAddress>> resolve(LoopCore& core, std::string host, std::uint16_t port,
                                              Purpose purpose) {
  boost::system::error_code error;
  const auto numeric = boost::asio::ip::make_address(host, error);
  if (!error) {
    std::vector<SocketAddress> found;
    found.push_back(address_of(Tcp::endpoint(numeric, port)));
    co_return found;
  }
  auto answer = core.loop().run_in_executor(nullptr, look_up, std::move(host), port, purpose);
  co_return co_await std::move(answer);
}

SocketAddress unix_address(const std::filesystem::path& path) {
  SocketAddress address;
  // SAFETY: as get().
  auto& unix_address = reinterpret_cast<sockaddr_un&>(address.storage);
  const std::string& name = path.native();
  if (name.empty()) throw std::invalid_argument("a Unix socket's path is empty");
  if (name.size() >= sizeof unix_address.sun_path) {
    throw std::invalid_argument("a Unix socket's path may have " +
                                std::to_string(sizeof unix_address.sun_path - 1) +
                                " bytes at most: " + name);
  }
  unix_address.sun_family = AF_UNIX;
  std::memcpy(unix_address.sun_path, name.data(), name.size());
  address.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() +
                                        (name.front() == '\0' ? 0 : 1));
  return address;
}

SocketAddress parse_address(const std::string& text) {
  const auto colon = text.rfind(':');
  std::string host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  unsigned port = 0;
  const char* const end = text.data() + text.size();
  const char* const digits = colon == std::string::npos ? end : text.data() + colon + 1;
  const auto parsed = std::from_chars(digits, end, port);
  boost::system::error_code error;
  const auto numeric = boost::asio::ip::make_address(host, error);
  if (error || parsed.ec != std::errc() || parsed.ptr != end || port > UINT16_MAX) {
    throw std::invalid_argument("not an address with a port, as 1.2.3.4:80 or [::1]:80: " + text);
  }
  return address_of(Tcp::endpoint(numeric, static_cast<std::uint16_t>(port)));
}

void set_option(int fd, int level, int option, int value) noexcept {
  ::setsockopt(fd, level, option, &value, sizeof value);
}

OwnedFd make_socket(const SocketAddress& address, int type) {
  OwnedFd fd(::socket(address.storage.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) throw_errno(errno, "socket()");
  const bool is_tcp = type == SOCK_STREAM && address.storage.ss_family != AF_UNIX;
  if (is_tcp) set_option(fd.get(), IPPROTO_TCP, TCP_NODELAY);
  return fd;
}

void bind_to(int fd, const SocketAddress& address) {
  if (::bind(fd, address.get(), address.size) == 0) return;
  throw_errno(errno, "binding to " + address.text());
}

namespace {

using Descriptor = boost::asio::posix::stream_descriptor;

// Who is given it has to release() it.
Descriptor watch_descriptor(LoopCore& core, int fd) try {
  return Descriptor(core.selector().context(), fd);
} catch (const boost::system::system_error& error) {
  throw std::system_error(error.code(), "watching a socket");
}

}  // namespace

Coroutine<OwnedFd> connect_to(LoopCore& core, SocketAddress address) {
  OwnedFd fd = make_socket(address, SOCK_STREAM);
  int error = ::connect(fd.get(), address.get(), address.size) == 0 ? 0 : errno;
  if (error == EINPROGRESS || error == EINTR) {
    Descriptor descriptor = watch_descriptor(core, fd.get());
    struct Release {
      ~Release() { descriptor.release(); }
      Descriptor& descriptor;
    } const release{descriptor};
    auto writable = descriptor.async_wait(descriptor.wait_write, aio::as_tuple(aio::use_coroutine));
    const auto [failed] = co_await std::move(writable);
    if (failed) throw std::system_error(failed, "connecting to " + address.text());
    socklen_t size = sizeof error;
    ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  }
  if (error != 0) throw_errno(error, "connecting to " + address.text());
  co_return fd;
}

OwnedFd listen_at(const SocketAddress& address, ListenOptions options) {
  OwnedFd fd = make_socket(address, SOCK_STREAM);
  const int family = address.storage.ss_family;
  if (family == AF_UNIX) {
    remove_stale(address);
  } else {
    set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR);
    if (family == AF_INET6) set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY);
    if (options.reuse_port) set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT);
  }
  bind_to(fd.get(), address);
  if (::listen(fd.get(), options.backlog) != 0) throw_errno(errno, "listen()");
  return fd;
}

}  // namespace plait::detail
