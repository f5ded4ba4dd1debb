// Contenders of tcp: plait's streams, and Asio's sockets in plait's coroutines.
#include <array>
#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <cstdint>
#include <future>
#include <memory>
#include <plait/aio.hpp>
#include <plait/bridge/asio.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "harness.hpp"
#include "tcp_contender.hpp"

namespace bench {
namespace {

namespace aio = plait::aio;
using boost::asio::ip::tcp;
using plait::Coroutine;
using Reader = std::shared_ptr<aio::StreamReader>;
using Writer = std::shared_ptr<aio::StreamWriter>;

// A loop in a thread of its own that runs `serve` until it ends; gives the port that it tells.
class ServerThread {
 public:
  using Port = std::promise<std::uint16_t>;

  template <class Serve>
  explicit ServerThread(Serve serve)
      : thread_([this, serve] { aio::run(serve(port_)); }), at_(port_.get_future().get()) {}
  ~ServerThread() { thread_.join(); }
  std::uint16_t port() const { return at_; }

 private:
  Port port_;
  std::thread thread_;
  std::uint16_t at_;
};

// ---------------------------------------------------------------- streams

struct Served {
  int left;
  aio::Event all;
};

Coroutine<> echo(std::shared_ptr<Served> served, Reader reader, Writer writer) {
  for (;;) {
    const std::string message = co_await reader->read(tcp_message);
    if (message.empty()) break;
    writer->write(message);
    co_await writer->drain();
  }
  if (--served->left == 0) served->all.set();
}
Coroutine<> swallow(std::shared_ptr<Served> served, Reader reader, Writer writer) {
  for (bool more = true; more;) {
    const std::string piece = co_await reader->read(tcp_piece);
    more = !piece.empty();
  }
  writer->write(std::string(tcp_message, 'x'));
  co_await writer->drain();
  if (--served->left == 0) served->all.set();
}

template <class Serve>
Coroutine<> serve_streams(ServerThread::Port& port, int connections, Serve serve) {
  const auto served = std::make_shared<Served>();
  served->left = connections;
  const auto server = co_await aio::start_server(
      [served, serve](Reader reader, Writer writer) {
        return serve(served, std::move(reader), std::move(writer));
      },
      "127.0.0.1", 0);
  port.set_value(server->port());
  co_await served->all.wait();
}

Coroutine<> ask(Reader reader, Writer writer, int requests) {
  const std::string message(tcp_message, 'x');
  while (requests-- > 0) {
    writer->write(message);
    require((co_await reader->readexactly(tcp_message)).size() == tcp_message, "an answer");
  }
}

Coroutine<double> ask_all(std::uint16_t port, int connections, int requests) {
  std::vector<aio::Streams> streams;
  for (int i = 0; i < connections; ++i) {
    streams.push_back(co_await aio::open_connection("127.0.0.1", port));
  }
  const auto start = std::chrono::steady_clock::now();
  std::vector<Coroutine<>> clients;
  for (const auto& [reader, writer] : streams) {
    clients.push_back(ask(reader, writer, requests / connections));
  }
  co_await aio::gather(std::move(clients));
  co_return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start)
      .count();
}

double ping_pong_streams(int connections, int requests) {
  ServerThread server(
      [connections](ServerThread::Port& port) { return serve_streams(port, connections, echo); });
  return aio::run(ask_all(server.port(), connections, requests));
}

Coroutine<double> send_all(std::uint16_t port, std::size_t bytes) {
  const auto [reader, writer] = co_await aio::open_connection("127.0.0.1", port);
  const std::string piece(tcp_piece, 'x');
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t sent = 0; sent < bytes; sent += piece.size()) {
    writer->write(piece);
    co_await writer->drain();
  }
  writer->write_eof();
  require((co_await reader->read()).size() == tcp_message, "the answer of who has read all");
  co_return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start)
      .count();
}

double bulk_streams(std::size_t bytes) {
  ServerThread server([](ServerThread::Port& port) { return serve_streams(port, 1, swallow); });
  return aio::run(send_all(server.port(), bytes));
}

// ---------------------------------------------------------------- use_coroutine

Coroutine<> echo_socket(tcp::socket socket) {
  std::array<char, tcp_message> message;
  boost::system::error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  try {
    for (;;) {
      const std::size_t size =
          co_await socket.async_read_some(boost::asio::buffer(message), aio::use_coroutine);
      co_await boost::asio::async_write(socket, boost::asio::buffer(message, size),
                                        aio::use_coroutine);
    }
  } catch (const boost::system::system_error&) {
    // The client has ended.
  }
}

Coroutine<> serve_sockets(ServerThread::Port& port, int connections) {
  auto& context = aio::get_running_loop().context();
  tcp::acceptor acceptor(context, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
  port.set_value(acceptor.local_endpoint().port());
  std::vector<Coroutine<>> all;
  for (int i = 0; i < connections; ++i) {
    all.push_back(echo_socket(co_await acceptor.async_accept(aio::use_coroutine)));
  }
  co_await aio::gather(std::move(all));
}

Coroutine<> ask_socket(tcp::socket& socket, int requests) {
  std::array<char, tcp_message> message{};
  while (requests-- > 0) {
    co_await boost::asio::async_write(socket, boost::asio::buffer(message), aio::use_coroutine);
    co_await boost::asio::async_read(socket, boost::asio::buffer(message), aio::use_coroutine);
  }
}

Coroutine<double> ask_all_sockets(std::uint16_t port, int connections, int requests) {
  std::vector<tcp::socket> sockets;
  for (int i = 0; i < connections; ++i) {
    sockets.emplace_back(aio::get_running_loop().context());
    const tcp::endpoint there(boost::asio::ip::address_v4::loopback(), port);
    co_await sockets.back().async_connect(there, aio::use_coroutine);
    sockets.back().set_option(tcp::no_delay(true));
  }
  const auto start = std::chrono::steady_clock::now();
  std::vector<Coroutine<>> clients;
  for (tcp::socket& socket : sockets) clients.push_back(ask_socket(socket, requests / connections));
  co_await aio::gather(std::move(clients));
  co_return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start)
      .count();
}

double ping_pong_sockets(int connections, int requests) {
  ServerThread server(
      [connections](ServerThread::Port& port) { return serve_sockets(port, connections); });
  return aio::run(ask_all_sockets(server.port(), connections, requests));
}

}  // namespace

TcpContender plait_streams() { return {"plait streams", ping_pong_streams, bulk_streams}; }
TcpContender plait_use_coroutine() { return {"plait use_coroutine", ping_pong_sockets, nullptr}; }

}  // namespace bench
