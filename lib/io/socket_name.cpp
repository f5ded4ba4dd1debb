// Asking sockets for their addresses.
#include "io/socket_name.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <array>
#include <cstddef>

namespace plait::detail {
namespace {

std::string unix_name(const sockaddr_un& address, socklen_t size) {
  const std::size_t length = size - offsetof(sockaddr_un, sun_path);
  if (length == 0) return {};
  if (address.sun_path[0] == '\0') {
    std::string name(address.sun_path, length);
    name.front() = '@';
    return name;
  }
  return std::string(address.sun_path, ::strnlen(address.sun_path, length));
}

template <class Get>
std::string ask(int fd, Get get) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  // SAFETY: this is how the sockets API shows addresses of all kinds.
  if (get(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return {};
  return socket_name(address, size);
}

}  // namespace

std::string socket_name(const sockaddr_storage& address, socklen_t size) {
  // SAFETY: the family says which type of address it is.
  const auto* const any = reinterpret_cast<const sockaddr*>(&address);
  if (size <= sizeof address.ss_family) return {};
  if (address.ss_family == AF_UNIX) {
    return unix_name(*reinterpret_cast<const sockaddr_un*>(&address), size);
  }
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> service{};
  if (::getnameinfo(any, size, host.data(), host.size(), service.data(), service.size(),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return {};
  }
  std::string name = host.data();
  if (name.find(':') != std::string::npos) name.insert(0, 1, '[').push_back(']');
  name.push_back(':');
  return name.append(service.data());
}

std::string peer_name(int fd) { return ask(fd, ::getpeername); }
std::string own_name(int fd) { return ask(fd, ::getsockname); }

}  // namespace plait::detail
