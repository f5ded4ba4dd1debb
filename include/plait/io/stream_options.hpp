// What can be chosen about connections and servers.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include <plait/core/clock.hpp>

namespace plait::aio {

/// How connections and servers are made.
struct StreamOptions {
  /// Of the reader: the longest line; see StreamReader.
  std::size_t limit = 64UL * 1024;
  /// For TLS: a `boost::asio::ssl::context`. Null: none.
  std::shared_ptr<void> ssl{};
  /// Of TLS clients: whom the certificate has to name; nullopt: the host that is connected to.
  std::optional<std::string> server_hostname{};
  /// For TLS: how long a handshake may take.
  Duration ssl_handshake_timeout = std::chrono::seconds(60);
  /// After which time the next address is tried beside the ones before; nullopt: one after the
  /// other.
  std::optional<Duration> happy_eyeballs_delay{};
  /// Where no address can be connected to: an ExceptionGroup of each one's error is thrown.
  bool all_errors = false;
  /// Of servers: connections are accepted at once, not only from Server::start_serving() on.
  bool start_serving = true;
  /// Of servers: how many connections may wait to be accepted.
  int backlog = 100;
  /// Of servers: several may have the same address, and share its connections.
  bool reuse_port = false;
  /// Of Unix servers: close() removes the socket's file.
  bool cleanup_socket = true;
};

}  // namespace plait::aio
