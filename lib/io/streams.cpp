// Readers and writers on connections, pipes and servers.
#include <plait/io/streams.hpp>

#include <stdexcept>
#include <utility>

#include <plait/core/cancelled_error.hpp>
#include <plait/io/connections.hpp>
#include <plait/loop/detail/loop_core.hpp>
#include <plait/loop/event_loop.hpp>

#include "io/fd_transport.hpp"
#include "io/owned_fd.hpp"
#include "io/pipe_streams.hpp"
#include "io/stream_protocol.hpp"

namespace plait::detail {
namespace {

Coroutine<> serve_client(std::shared_ptr<aio::ClientConnected> connected,
                         std::shared_ptr<aio::StreamReader> reader,
                         std::shared_ptr<aio::StreamWriter> writer) {
  LoopCore& core = require_running_core();
  try {
    co_await (*connected)(reader, writer);
  } catch (const CancelledError&) {
    writer->close();
    throw;
  } catch (...) {
    core.report("Unhandled exception in client_connected_cb", std::current_exception());
    writer->close();
  }
}

// Of a server's connection: makes the task that serves it.
class ServedStream final : public StreamProtocol,
                           public std::enable_shared_from_this<ServedStream> {
 public:
  ServedStream(std::shared_ptr<aio::StreamReader> reader,
               std::shared_ptr<aio::ClientConnected> connected)
      : StreamProtocol(reader), reader_(std::move(reader)), connected_(std::move(connected)) {}

  void connection_made(aio::Transport& transport) override {
    StreamProtocol::connection_made(transport);
    auto writer =
        std::make_shared<aio::StreamWriter>(transport.shared_from_this(), shared_from_this());
    aio::create_task(serve_client(std::move(connected_), std::move(reader_), std::move(writer)));
  }
  bool is_server() const noexcept override { return true; }

 private:
  std::shared_ptr<aio::StreamReader> reader_;  // until the task has it
  std::shared_ptr<aio::ClientConnected> connected_;
};

aio::ProtocolFactory served_by(aio::ClientConnected cb, std::size_t limit) {
  if (!cb) throw std::invalid_argument("start_server(): the callback is empty");
  return [connected = std::make_shared<aio::ClientConnected>(std::move(cb)), limit] {
    return std::make_shared<ServedStream>(std::make_shared<aio::StreamReader>(limit), connected);
  };
}

aio::ProtocolFactory just(std::shared_ptr<StreamProtocol> protocol) {
  return [protocol = std::move(protocol)] { return protocol; };
}

}  // namespace

std::shared_ptr<aio::StreamReader> open_read_pipe(LoopCore& core, OwnedFd fd, std::size_t limit) {
  const auto transport =
      std::make_shared<FdTransport>(core, std::move(fd), FdTransport::Kind::read_pipe);
  auto reader = std::make_shared<aio::StreamReader>(limit);
  transport->start(std::make_shared<StreamProtocol>(reader));
  return reader;
}

std::shared_ptr<aio::StreamWriter> open_write_pipe(LoopCore& core, OwnedFd fd) {
  const auto transport =
      std::make_shared<FdTransport>(core, std::move(fd), FdTransport::Kind::write_pipe);
  const auto protocol = std::make_shared<StreamProtocol>(nullptr);
  auto writer = std::make_shared<aio::StreamWriter>(transport, protocol);
  transport->start(protocol);
  return writer;
}

}  // namespace plait::detail

namespace plait::aio {

using plait::detail::OwnedFd;
using plait::detail::require_running_core;
using plait::detail::StreamProtocol;

namespace {

using plait::detail::just;

Coroutine<Streams> streams_of(Coroutine<Connection> connecting,
                              std::shared_ptr<StreamReader> reader,
                              std::shared_ptr<StreamProtocol> protocol) {
  auto connection = co_await std::move(connecting);
  std::shared_ptr<StreamWriter> writer;
  try {
    writer = std::make_shared<StreamWriter>(connection.first, std::move(protocol));
  } catch (...) {
    connection.first->abort();  // nobody else can end it
    throw;
  }
  co_return Streams(std::move(reader), std::move(writer));
}

}  // namespace

Coroutine<Streams> open_connection(std::string host, std::uint16_t port, StreamOptions options) {
  auto reader = std::make_shared<StreamReader>(options.limit);
  auto protocol = std::make_shared<StreamProtocol>(reader);
  auto connecting = create_connection(just(protocol), std::move(host), port, std::move(options));
  return streams_of(std::move(connecting), std::move(reader), std::move(protocol));
}

Coroutine<Streams> open_connection(int sock, StreamOptions options) {
  OwnedFd fd(sock);
  auto reader = std::make_shared<StreamReader>(options.limit);
  auto protocol = std::make_shared<StreamProtocol>(reader);
  auto factory = just(protocol);
  auto connecting = create_connection(std::move(factory), fd.release(), std::move(options));
  return streams_of(std::move(connecting), std::move(reader), std::move(protocol));
}

Coroutine<Streams> open_unix_connection(std::filesystem::path path, StreamOptions options) {
  auto reader = std::make_shared<StreamReader>(options.limit);
  auto protocol = std::make_shared<StreamProtocol>(reader);
  auto connecting = create_unix_connection(just(protocol), std::move(path), std::move(options));
  return streams_of(std::move(connecting), std::move(reader), std::move(protocol));
}

namespace {

// A coroutine that never runs closes it, too.
Coroutine<std::shared_ptr<StreamReader>> read_from(OwnedFd fd, std::size_t limit) {
  auto& core = require_running_core();
  co_return plait::detail::open_read_pipe(core, std::move(fd), limit);
}

Coroutine<std::shared_ptr<StreamWriter>> write_to(OwnedFd fd) {
  auto& core = require_running_core();
  co_return plait::detail::open_write_pipe(core, std::move(fd));
}

}  // namespace

Coroutine<std::shared_ptr<StreamReader>> connect_read_pipe(int fd, StreamOptions options) {
  return read_from(OwnedFd(fd), options.limit);
}

Coroutine<std::shared_ptr<StreamWriter>> connect_write_pipe(int fd) {
  return write_to(OwnedFd(fd));
}

Coroutine<std::shared_ptr<Server>> start_server(ClientConnected cb, std::string host,
                                                std::uint16_t port, StreamOptions options) {
  const std::size_t limit = options.limit;
  return create_server(plait::detail::served_by(std::move(cb), limit), std::move(host), port,
                       std::move(options));
}

Coroutine<std::shared_ptr<Server>> start_server(ClientConnected cb, int sock,
                                                StreamOptions options) {
  OwnedFd fd(sock);
  auto factory = plait::detail::served_by(std::move(cb), options.limit);
  return create_server(std::move(factory), fd.release(), std::move(options));
}

Coroutine<std::shared_ptr<Server>> start_unix_server(ClientConnected cb, std::filesystem::path path,
                                                     StreamOptions options) {
  const std::size_t limit = options.limit;
  return create_unix_server(plait::detail::served_by(std::move(cb), limit), std::move(path),
                            std::move(options));
}

}  // namespace plait::aio
