// Asio and plait in one program: an echo server in plait's coroutines, a client in Asio's.
#include <array>
#include <chrono>
#include <cstddef>
#include <iostream>
#include <plait/aio.hpp>
#include <plait/bridge/asio.hpp>
#include <string>
#include <string_view>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace asio = boost::asio;
namespace aio = plait::aio;
using aio::use_coroutine;
using asio::ip::tcp;
using namespace std::chrono_literals;

//! [echo]
plait::Coroutine<std::size_t> echo(tcp::socket socket) {
  std::array<char, 1024> buffer;
  std::size_t total = 0;
  for (;;) {
    auto [error, n] =
        co_await socket.async_read_some(asio::buffer(buffer), aio::as_tuple(use_coroutine));
    if (error == asio::error::eof) co_return total;
    if (error) throw boost::system::system_error(error);
    co_await asio::async_write(socket, asio::buffer(buffer, n), use_coroutine);
    total += n;
  }
}
//! [echo]

// Some work for plait that Asio's client waits for.
plait::Coroutine<std::string> compose_line(int number) {
  co_await aio::sleep(1ms);
  co_return "line " + std::to_string(number);
}

//! [async_get]
asio::awaitable<void> client(tcp::endpoint server) {
  tcp::socket socket(co_await asio::this_coro::executor);
  co_await socket.async_connect(server, asio::use_awaitable);
  for (int i = 1; i <= 3; ++i) {
    auto task = aio::create_task(compose_line(i));
    std::string line = co_await aio::async_get(task, asio::use_awaitable);
    co_await asio::async_write(socket, asio::buffer(line), asio::use_awaitable);
    std::string answer(line.size(), '\0');
    co_await asio::async_read(socket, asio::buffer(answer), asio::use_awaitable);
    std::cout << "answer: " << answer << '\n';
  }
}
//! [async_get]

// A client that says nothing; a read of its connection is given up.
plait::Coroutine<> impatient_read(tcp::acceptor& acceptor) {
  tcp::socket silent(acceptor.get_executor());
  co_await silent.async_connect(acceptor.local_endpoint(), use_coroutine);
  tcp::socket accepted = co_await acceptor.async_accept(use_coroutine);
  std::array<char, 16> buffer;
  try {
    co_await aio::wait_for(accepted.async_read_some(asio::buffer(buffer), use_coroutine), 10ms);
  } catch (const plait::TimeoutError&) {
    std::cout << "nothing came within 10 ms\n";
  }
}

plait::Coroutine<> async_main(aio::EventLoop& loop) {
  tcp::acceptor acceptor(loop.context(), {asio::ip::address_v4::loopback(), 0});
  auto done = asio::co_spawn(loop.context(), client(acceptor.local_endpoint()), use_coroutine);
  auto client_task = aio::create_task(std::move(done));
  tcp::socket connection = co_await acceptor.async_accept(use_coroutine);
  const std::size_t bytes = co_await echo(std::move(connection));
  co_await client_task;
  std::cout << "the server echoed " << bytes << " bytes\n";
  co_await impatient_read(acceptor);
}

int main() {
  aio::EventLoop loop;
  loop.run_until_complete(async_main(loop));
}
