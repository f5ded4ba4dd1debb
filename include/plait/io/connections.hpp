// Connections and servers for protocols: I/O by callbacks.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include <plait/core/coroutine.hpp>
#include <plait/io/server.hpp>
#include <plait/io/stream_options.hpp>
#include <plait/io/transport.hpp>

namespace plait::aio {

/// Makes the protocol of one connection.
using ProtocolFactory = std::function<std::shared_ptr<Protocol>()>;
/// A connection, and who hears of it.
using Connection = std::pair<std::shared_ptr<Transport>, std::shared_ptr<Protocol>>;

/// Connects to a TCP server; connection_made() has been called when it gives the connection.
///
/// What open_connection() stands on. **Python:** loop.create_connection(). **Threads:** the loop's.
/// **Cancellation:** gives the attempt up.
/// @throws std::system_error; where several addresses failed, its text names each
Coroutine<Connection> create_connection(ProtocolFactory factory, std::string host,
                                        std::uint16_t port,
                                        StreamOptions options = StreamOptions());
/// As above, to a Unix socket. **Python:** loop.create_unix_connection().
Coroutine<Connection> create_unix_connection(ProtocolFactory factory, std::filesystem::path path,
                                             StreamOptions options = StreamOptions());

/// Accepts TCP connections, each of which gets a protocol of `factory`.
///
/// What start_server() stands on. **Python:** loop.create_server(). **Threads:** the loop's.
/// @throws std::system_error
Coroutine<std::shared_ptr<Server>> create_server(ProtocolFactory factory, std::string host,
                                                 std::uint16_t port,
                                                 StreamOptions options = StreamOptions());
/// As above, at a path; a socket that lies there is replaced. **Python:**
/// loop.create_unix_server().
Coroutine<std::shared_ptr<Server>> create_unix_server(ProtocolFactory factory,
                                                      std::filesystem::path path,
                                                      StreamOptions options = StreamOptions());

}  // namespace plait::aio
