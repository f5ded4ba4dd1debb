// How a connection goes, from accept to hang-up.
#include "http_server.hpp"

#include <array>
#include <exception>
#include <iostream>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/address_v4.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/system/system_error.hpp>

namespace job_service {

namespace aio = plait::aio;
namespace asio = boost::asio;
using aio::use_coroutine;
using asio::ip::tcp;
using boost::system::error_code;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t first_read = 4'096;  // most requests are shorter
constexpr plait::Duration accept_pause = 100ms;
constexpr plait::Duration farewell = 1s;

// What no parser understands is answered, what a lost connection has left is not.
[[noreturn]] void throw_unreadable(const error_code& error) {
  using Error = http::error;
  const bool is_lost = error == Error::end_of_stream || error == Error::partial_message;
  if (is_lost || error.category() != http::make_error_code(Error::bad_method).category()) {
    throw boost::system::system_error(error);
  }
  if (error == Error::header_limit) {
    throw HttpError(http::status::request_header_fields_too_large, "the header is too long");
  }
  if (error == Error::body_limit) {
    throw HttpError(http::status::payload_too_large, "the body is too long");
  }
  throw HttpError(http::status::bad_request, "this is no HTTP request: " + error.message());
}

}  // namespace

HttpServer::HttpServer(aio::EventLoop& loop, unsigned short port, const HttpLimits& limits,
                       Handler handler)
    : limits_(limits),
      handler_(std::move(handler)),
      acceptor_(loop.context(), {asio::ip::address_v4::loopback(), port}),
      places_(limits.connections) {}

plait::Coroutine<> HttpServer::serve() {
  std::vector<aio::Task<>> tasks{aio::create_task(accept_clients())};
  co_await stopping_.wait();
  tasks.front().cancel();
  co_await aio::wait(tasks);
  acceptor_.close();  // from now on connections are refused
  for (const Client& client : clients_) {
    if (client.idle) client.task.cancel();
    tasks.push_back(client.task);
  }
  const plait::WaitOptions drain{.timeout = limits_.drain};
  co_await aio::wait(tasks, drain);
  for (const auto& task : tasks) task.cancel();
  co_await aio::wait(tasks);
  clients_.clear();  // those whose task was cancelled before its first step
}

void HttpServer::stop() {
  if (stopping_.is_set()) {
    for (const Client& client : clients_) client.task.cancel();
  }
  stopping_.set();
}

plait::Coroutine<> HttpServer::accept_clients() {
  error_code last;
  for (;;) {
    auto place = co_await places_.scoped();
    auto [error, socket] = co_await acceptor_.async_accept(aio::as_tuple(use_coroutine));
    if (error && error != last) std::clog << "accept: " << error.message() << ", trying again\n";
    last = error;
    if (error) {  // out of descriptors, as a rule: to ask again at once would only burn time
      co_await aio::sleep(accept_pause);
      continue;
    }
    error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    clients_.push_back({std::move(socket), std::move(place)});
    const auto client = std::prev(clients_.end());
    client->task = aio::create_task(serve_client(client));
  }
}

plait::Coroutine<> HttpServer::serve_client(Clients::iterator client) {
  try {
    while (co_await serve_request(*client)) {
    }
    co_await hang_up(*client);
  } catch (const plait::CancelledError&) {        // by stop()
  } catch (const plait::TimeoutError&) {          // idle for too long, or took no response
  } catch (const boost::system::system_error&) {  // it has hung up
  } catch (const std::exception& error) {
    std::clog << "a connection failed: " << error.what() << '\n';
  }
  clients_.erase(client);
}

// False: this was the last one.
plait::Coroutine<bool> HttpServer::serve_request(Client& client) {
  co_await wait_for_request(client);
  Request request;
  Response response;
  bool keep_alive = false;
  try {
    request = co_await read_request(client);
    keep_alive = request.keep_alive();
    response = co_await respond(request);
  } catch (const HttpError& error) {
    response = error.response();
  }
  keep_alive = keep_alive && !stopping_.is_set();
  response.keep_alive(keep_alive);
  response.prepare_payload();
  co_await send(client, response, request.method() != http::verb::head);
  co_return keep_alive;
}

plait::Coroutine<> HttpServer::wait_for_request(Client& client) {
  if (client.buffer.size() > 0) co_return;  // it came together with the last one
  client.idle = true;
  const auto room = client.buffer.prepare(first_read);
  const std::size_t size =
      co_await aio::wait_for(client.socket.async_read_some(room, use_coroutine), limits_.idle);
  client.buffer.commit(size);
  client.idle = false;
}

plait::Coroutine<Request> HttpServer::read_request(Client& client) {
  http::request_parser<http::string_body> parser;
  parser.header_limit(limits_.header_bytes);
  parser.body_limit(limits_.body_bytes);
  auto read = http::async_read(client.socket, client.buffer, parser, aio::as_tuple(use_coroutine));
  try {
    const auto [error, size] = co_await aio::wait_for(std::move(read), limits_.request);
    if (error) throw_unreadable(error);
  } catch (const plait::TimeoutError&) {
    throw HttpError(http::status::request_timeout, "the request took too long to come");
  }
  co_return parser.release();
}

plait::Coroutine<Response> HttpServer::respond(const Request& request) {
  try {
    co_return co_await handler_(request);
  } catch (const HttpError&) {
    throw;
  } catch (const std::exception& error) {
    std::clog << request.target() << ": " << error.what() << '\n';
    throw HttpError(http::status::internal_server_error, error.what());
  }
}

plait::Coroutine<> HttpServer::send(Client& client, Response& response, bool with_body) {
  http::response_serializer<http::string_body> serializer(response);
  auto sent = with_body ? http::async_write(client.socket, serializer, use_coroutine)
                        : http::async_write_header(client.socket, serializer, use_coroutine);
  co_await aio::wait_for(std::move(sent), limits_.response);
}

// A socket that is closed with something unread takes back what was sent but has not arrived, so
// the client is given time to hang up first.
plait::Coroutine<> HttpServer::hang_up(Client& client) {
  client.socket.shutdown(tcp::socket::shutdown_send);
  const auto deadline = plait::Clock::now() + farewell;
  std::array<char, first_read> ignored;
  for (;;) {
    auto read = client.socket.async_read_some(asio::buffer(ignored), use_coroutine);
    co_await aio::wait_for(std::move(read), deadline - plait::Clock::now());
  }
}

}  // namespace job_service
