// Addresses of sockets as text.
#pragma once

#include <sys/socket.h>

#include <string>

namespace plait::detail {

/// "1.2.3.4:80", "[::1]:80", a path, "@name" of an abstract one; empty where there is none.
std::string socket_name(const sockaddr_storage& address, socklen_t size);
/// The other side's, or this side's; empty if the descriptor is no socket or not connected.
std::string peer_name(int fd);
std::string own_name(int fd);

}  // namespace plait::detail
