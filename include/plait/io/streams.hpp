// Streams: connections and servers for coroutines.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include <plait/core/coroutine.hpp>
#include <plait/io/errors.hpp>
#include <plait/io/server.hpp>
#include <plait/io/stream_options.hpp>
#include <plait/io/stream_reader.hpp>
#include <plait/io/stream_writer.hpp>

namespace plait::aio {

/// A connection: what comes and what goes.
using Streams = std::pair<std::shared_ptr<StreamReader>, std::shared_ptr<StreamWriter>>;

/// Connects to a TCP server; resolving the name does not block the loop.
///
/// **Python:** asyncio.open_connection(). **Threads:** the loop's. **Cancellation:** gives the
/// attempt up.
/// @throws std::system_error, of which the text names each address that failed; with
/// StreamOptions::all_errors an ExceptionGroup of them
Coroutine<Streams> open_connection(std::string host, std::uint16_t port,
                                   StreamOptions options = StreamOptions());
/// As above, of a socket of any kind that is connected already; takes it whatever happens.
/// **Python:** the `sock` parameter. @throws std::invalid_argument for what is no stream socket
Coroutine<Streams> open_connection(int sock, StreamOptions options = StreamOptions());
/// As above, to a Unix socket. **Python:** asyncio.open_unix_connection().
Coroutine<Streams> open_unix_connection(std::filesystem::path path,
                                        StreamOptions options = StreamOptions());
/// The reading end of a pipe, which is closed when the reader is dropped or has read its end.
///
/// **Python:** loop.connect_read_pipe() with a StreamReaderProtocol. Takes `fd` whatever happens.
Coroutine<std::shared_ptr<StreamReader>> connect_read_pipe(int fd,
                                                           StreamOptions options = StreamOptions());
/// As above, the writing end. **Python:** loop.connect_write_pipe().
Coroutine<std::shared_ptr<StreamWriter>> connect_write_pipe(int fd);

/// Serves one connection, which is closed when reader and writer are dropped.
using ClientConnected =
    std::function<Coroutine<>(std::shared_ptr<StreamReader>, std::shared_ptr<StreamWriter>)>;

/// Accepts TCP connections, each of which a task of `cb` serves.
///
/// An empty host: all interfaces, of both families. Of a host's addresses those that this machine
/// lacks are left out, but not all of them. Port 0: a free one, see Server::port(). What `cb`
/// throws goes to the loop's exception handler, and closes that connection.
/// **Python:** asyncio.start_server(). **Threads:** the loop's.
/// @throws std::system_error
Coroutine<std::shared_ptr<Server>> start_server(ClientConnected cb, std::string host,
                                                std::uint16_t port,
                                                StreamOptions options = StreamOptions());
/// As above, of a socket of any kind that is bound already; takes it whatever happens.
/// **Python:** the `sock` parameter. @throws std::invalid_argument for what is no stream socket
Coroutine<std::shared_ptr<Server>> start_server(ClientConnected cb, int sock,
                                                StreamOptions options = StreamOptions());
/// As above, at a path; a socket that lies there is replaced.
/// **Python:** asyncio.start_unix_server().
Coroutine<std::shared_ptr<Server>> start_unix_server(ClientConnected cb, std::filesystem::path path,
                                                     StreamOptions options = StreamOptions());

}  // namespace plait::aio
