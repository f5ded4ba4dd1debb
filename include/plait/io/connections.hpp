// Connections and servers for protocols: I/O by callbacks.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <plait/core/clock.hpp>
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
/// @throws std::system_error, of which the text names each address that failed; with
/// StreamOptions::all_errors an ExceptionGroup of them
Coroutine<Connection> create_connection(ProtocolFactory factory, std::string host,
                                        std::uint16_t port,
                                        StreamOptions options = StreamOptions());
/// As above, of a socket of any kind that is connected already; takes it whatever happens.
/// **Python:** the `sock` parameter, and loop.connect_accepted_socket() for clients.
/// @throws std::invalid_argument for what is no stream socket
Coroutine<Connection> create_connection(ProtocolFactory factory, int sock,
                                        StreamOptions options = StreamOptions());
/// As above, to a Unix socket. **Python:** loop.create_unix_connection().
Coroutine<Connection> create_unix_connection(ProtocolFactory factory, std::filesystem::path path,
                                             StreamOptions options = StreamOptions());

/// Accepts TCP connections, each of which gets a protocol of `factory`.
///
/// Of a host's addresses those that this machine lacks are left out, but not all of them. What
/// start_server() stands on. **Python:** loop.create_server(). **Threads:** the loop's.
/// @throws std::system_error
Coroutine<std::shared_ptr<Server>> create_server(ProtocolFactory factory, std::string host,
                                                 std::uint16_t port,
                                                 StreamOptions options = StreamOptions());
/// As above, of a socket of any kind that is bound already; takes it whatever happens.
/// **Python:** the `sock` parameter. @throws std::invalid_argument for what is no stream socket
Coroutine<std::shared_ptr<Server>> create_server(ProtocolFactory factory, int sock,
                                                 StreamOptions options = StreamOptions());
/// As above, at a path; a socket that lies there is replaced. **Python:**
/// loop.create_unix_server().
Coroutine<std::shared_ptr<Server>> create_unix_server(ProtocolFactory factory,
                                                      std::filesystem::path path,
                                                      StreamOptions options = StreamOptions());

/// How start_tls() begins.
struct StartTlsOptions {
  /// This side is the server.
  bool server_side = false;
  /// Of a client: whom the certificate has to name; nullopt: anybody.
  std::optional<std::string> server_hostname{};
  /// How long the handshake may take.
  Duration ssl_handshake_timeout = std::chrono::seconds(60);
};

/// Goes on by TLS on a connection that has carried plain bytes; gives its new transport.
///
/// `protocol` hears of what comes from then on, without a further connection_made(); the old
/// transport is not to be used any more. `context`: a `boost::asio::ssl::context`. See also
/// StreamWriter::start_tls(). **Python:** loop.start_tls(). **Threads:** the loop's.
/// **Cancellation:** closes the connection.
/// @throws std::system_error where the handshake fails, which closes the connection;
/// std::invalid_argument without a context or for a transport that is no plain socket's
Coroutine<std::shared_ptr<Transport>> start_tls(std::shared_ptr<Transport> transport,
                                                std::shared_ptr<Protocol> protocol,
                                                std::shared_ptr<void> context,
                                                StartTlsOptions options = StartTlsOptions());

}  // namespace plait::aio
