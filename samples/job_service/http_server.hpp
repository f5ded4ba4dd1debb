// An HTTP/1.1 server on a loop: connections, limits, and an end in good order.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <plait/aio.hpp>
#include <plait/bridge/asio.hpp>

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>

#include "http_message.hpp"

namespace job_service {

// How much of what a client may take.
struct HttpLimits {
  std::size_t connections = 1'000;  // more wait to be accepted
  std::uint32_t header_bytes = 8 * 1'024;
  std::uint64_t body_bytes = 64 * 1'024;
  plait::Duration idle = std::chrono::seconds(60);      // between two requests
  plait::Duration request = std::chrono::seconds(10);   // from its first byte to its last
  plait::Duration response = std::chrono::seconds(30);  // to take it
  plait::Duration drain = std::chrono::seconds(10);     // for the last requests after stop()
};

// Listens on 127.0.0.1 and gives each request to a handler. A task a connection; all of it in the
// thread of the loop.
class HttpServer {
 public:
  // What a request is answered with. An HttpError becomes its response, any other exception a 500.
  using Handler = std::function<plait::Coroutine<Response>(const Request&)>;

  // Port 0 is any free one. @throws boost::system::system_error
  HttpServer(plait::aio::EventLoop& loop, unsigned short port, const HttpLimits& limits,
             Handler handler);

  unsigned short port() const { return acceptor_.local_endpoint().port(); }

  // Serves until stop(), answers what has been asked by then, and cancels what takes too long.
  plait::Coroutine<> serve();
  // The second call waits for nobody.
  void stop();

 private:
  struct Client {
    boost::asio::ip::tcp::socket socket;
    plait::aio::Semaphore::Guard place;
    boost::beast::flat_buffer buffer{};
    bool idle = true;  // nothing of a request has come
    plait::aio::Task<> task{};
  };
  using Clients = std::list<Client>;

  plait::Coroutine<> accept_clients();
  plait::Coroutine<> serve_client(Clients::iterator client);
  plait::Coroutine<bool> serve_request(Client& client);
  plait::Coroutine<> wait_for_request(Client& client);
  plait::Coroutine<Request> read_request(Client& client);
  plait::Coroutine<Response> respond(const Request& request);
  plait::Coroutine<> send(Client& client, Response& response, bool with_body);
  plait::Coroutine<> hang_up(Client& client);

  const HttpLimits limits_;
  const Handler handler_;
  boost::asio::ip::tcp::acceptor acceptor_;
  plait::aio::Semaphore places_;
  Clients clients_;
  plait::aio::Event stopping_;
};

}  // namespace job_service
