// Where to connect to and where to listen.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <plait/core/coroutine.hpp>

#include "io/owned_fd.hpp"

namespace plait::detail {

class LoopCore;

/// An address of any family.
struct SocketAddress {
  // SAFETY: this is how the sockets API shows addresses of all kinds.
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  std::string text() const;

  sockaddr_storage storage{};
  socklen_t size = 0;
};

/// What an address is asked for.
enum class Purpose { connect, listen };
/// The addresses of a host; with an empty one, those of this machine. Names are looked up in the
/// loop's default executor. **Cancellation:** does not wait for the answer.
/// @throws std::system_error
Coroutine<std::vector<SocketAddress>> resolve(LoopCore& core, std::string host, std::uint16_t port,
                                              Purpose purpose);
/// "1.2.3.4:80", "[::1]:80". @throws std::invalid_argument
SocketAddress parse_address(const std::string& text);
/// @throws std::invalid_argument for a path that is too long for a socket
SocketAddress unix_address(const std::filesystem::path& path);

/// A non-blocking socket of the address's family. @throws std::system_error
OwnedFd make_socket(const SocketAddress& address, int type);
/// @throws std::system_error
void bind_to(int fd, const SocketAddress& address);
void set_option(int fd, int level, int option, int value = 1) noexcept;
/// A socket that is connected. @throws std::system_error
Coroutine<OwnedFd> connect_to(LoopCore& core, SocketAddress address);
/// A socket that listens. @throws std::system_error
struct ListenOptions {
  int backlog;
  bool reuse_port;
};
OwnedFd listen_at(const SocketAddress& address, ListenOptions options);

}  // namespace plait::detail
