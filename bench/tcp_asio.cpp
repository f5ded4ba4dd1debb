// Peer of tcp: Boost.Asio's sockets and callbacks, an io_context in each of the two threads.
#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "harness.hpp"
#include "tcp_contender.hpp"

namespace bench {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

class Echo : public std::enable_shared_from_this<Echo> {
 public:
  explicit Echo(tcp::socket socket) : socket_(std::move(socket)) {}
  void read() {
    socket_.async_read_some(boost::asio::buffer(message_),
                            [self = shared_from_this()](error_code error, std::size_t size) {
                              if (!error) self->write(size);
                            });
  }

 private:
  void write(std::size_t size) {
    boost::asio::async_write(socket_, boost::asio::buffer(message_, size),
                             [self = shared_from_this()](error_code error, std::size_t) {
                               if (!error) self->read();
                             });
  }

  tcp::socket socket_;
  std::array<char, tcp_message> message_{};
};

// Reads all, then answers.
class Swallow : public std::enable_shared_from_this<Swallow> {
 public:
  explicit Swallow(tcp::socket socket) : socket_(std::move(socket)), piece_(tcp_piece) {}
  void read() {
    socket_.async_read_some(boost::asio::buffer(piece_),
                            [self = shared_from_this()](error_code error, std::size_t) {
                              error ? self->answer() : self->read();
                            });
  }

 private:
  void answer() {
    boost::asio::async_write(socket_, boost::asio::buffer(piece_, tcp_message),
                             [self = shared_from_this()](error_code, std::size_t) {});
  }

  tcp::socket socket_;
  std::vector<char> piece_;
};

// Accepts so many connections, then ends with the last of them.
template <class Session>
class ServerThread {
 public:
  explicit ServerThread(int connections)
      : acceptor_(context_, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0)) {
    accept(connections);
    thread_ = std::thread([this] { context_.run(); });
  }
  ~ServerThread() { thread_.join(); }
  tcp::endpoint endpoint() const { return acceptor_.local_endpoint(); }

 private:
  void accept(int left) {
    if (left == 0) return;
    acceptor_.async_accept([this, left](error_code error, tcp::socket socket) {
      require(!error, "a connection");
      socket.set_option(tcp::no_delay(true));
      std::make_shared<Session>(std::move(socket))->read();
      accept(left - 1);
    });
  }

  boost::asio::io_context context_{1};
  tcp::acceptor acceptor_;
  std::thread thread_;
};

class Client {
 public:
  Client(boost::asio::io_context& context, const tcp::endpoint& endpoint, int requests)
      : socket_(context), left_(requests) {
    socket_.connect(endpoint);
    socket_.set_option(tcp::no_delay(true));
  }
  void ask() {
    if (left_-- == 0) return;
    boost::asio::async_write(socket_, boost::asio::buffer(message_),
                             [this](error_code error, std::size_t) {
                               require(!error, "a request");
                               read();
                             });
  }

 private:
  void read() {
    boost::asio::async_read(socket_, boost::asio::buffer(message_),
                            [this](error_code error, std::size_t) {
                              require(!error, "an answer");
                              ask();
                            });
  }

  tcp::socket socket_;
  int left_;
  std::array<char, tcp_message> message_{};
};

double ping_pong(int connections, int requests) {
  ServerThread<Echo> server(connections);
  boost::asio::io_context context(1);
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < connections; ++i) {
    clients.push_back(std::make_unique<Client>(context, server.endpoint(), requests / connections));
  }
  return nanoseconds_of([&] {
    for (const auto& client : clients) client->ask();
    context.run();
  });
}

class Sender {
 public:
  Sender(boost::asio::io_context& context, const tcp::endpoint& endpoint, std::size_t bytes)
      : socket_(context), left_(bytes), piece_(tcp_piece) {
    socket_.connect(endpoint);
  }
  void send() {
    if (left_ == 0) return end();
    left_ -= piece_.size();
    boost::asio::async_write(socket_, boost::asio::buffer(piece_),
                             [this](error_code error, std::size_t) {
                               require(!error, "a piece");
                               send();
                             });
  }

 private:
  void end() {
    socket_.shutdown(tcp::socket::shutdown_send);
    boost::asio::async_read(socket_, boost::asio::buffer(piece_, tcp_message),
                            [](error_code error, std::size_t) { require(!error, "the answer"); });
  }

  tcp::socket socket_;
  std::size_t left_;
  std::vector<char> piece_;
};

double bulk(std::size_t bytes) {
  ServerThread<Swallow> server(1);
  boost::asio::io_context context(1);
  Sender sender(context, server.endpoint(), bytes);
  return nanoseconds_of([&] {
    sender.send();
    context.run();
  });
}

}  // namespace

TcpContender asio_callbacks() { return {"Boost.Asio callbacks", ping_pong, bulk}; }

}  // namespace bench
