// use_coroutine: what a coroutine gets from an Asio operation, signature by signature.
#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <csignal>
#include <memory>
#include <plait/aio.hpp>
#include <plait/bridge/asio.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include "../support/asio_probe.hpp"
#include "../support/loop_probe.hpp"

namespace plait::test {
namespace {

namespace asio = boost::asio;
using aio::use_coroutine;
using boost::system::error_code;
using boost::system::system_error;

const error_code refused = asio::error::connection_refused;

TEST_SUITE_BEGIN("bridge/asio");

// ---------------------------------------------------------------- signatures

// A row: what the handler is called with, and what the await gives.
template <class Signature, class... Args>
auto await_call(Args... args) {
  aio::EventLoop loop;
  return loop.run_until_complete(
      async_call<Signature>(loop.context(), use_coroutine, std::move(args)...));
}

TEST_CASE("use_coroutine: void() gives nothing") {
  static_assert(std::is_void_v<decltype(await_call<void()>())>);
  await_call<void()>();
}

TEST_CASE("use_coroutine: a leading error_code that is no error is left out") {
  static_assert(std::is_void_v<decltype(await_call<void(error_code)>(error_code()))>);
  await_call<void(error_code)>(error_code());
  CHECK(await_call<void(error_code, int)>(error_code(), 7) == 7);
  CHECK(await_call<void(error_code, int, std::string)>(error_code(), 7, std::string("a")) ==
        std::tuple(7, std::string("a")));
  CHECK(await_call<void(error_code, int, int, int)>(error_code(), 1, 2, 3) == std::tuple(1, 2, 3));
}

TEST_CASE("use_coroutine: an error_code is thrown as a system_error") {
  const auto code_of = [](auto await) {
    try {
      await();
    } catch (const system_error& e) {
      return e.code();
    }
    return error_code();
  };
  CHECK(code_of([] { await_call<void(error_code)>(refused); }) == refused);
  CHECK(code_of([] { await_call<void(error_code, int)>(refused, 7); }) == refused);
  CHECK(code_of([] { await_call<void(error_code, int, int)>(refused, 7, 8); }) == refused);
}

TEST_CASE("use_coroutine: an exception_ptr is thrown as what it holds") {
  const auto error = std::make_exception_ptr(std::out_of_range("far"));
  CHECK_THROWS_AS(await_call<void(std::exception_ptr)>(error), std::out_of_range);
  CHECK_THROWS_AS(await_call<void(std::exception_ptr, int)>(error, 7), std::out_of_range);
  await_call<void(std::exception_ptr)>(std::exception_ptr());
  CHECK(await_call<void(std::exception_ptr, int)>(std::exception_ptr(), 7) == 7);
}

TEST_CASE("use_coroutine: arguments without an error are the result") {
  CHECK(await_call<void(std::string)>(std::string("text")) == "text");
  CHECK(await_call<void(const std::string&)>(std::string("text")) == "text");
  CHECK(await_call<void(int, std::string)>(1, std::string("b")) == std::tuple(1, "b"));
}

TEST_CASE("use_coroutine: results that can only be moved arrive") {
  const auto pointer =
      await_call<void(error_code, std::unique_ptr<int>)>(error_code(), std::make_unique<int>(42));
  CHECK(*pointer == 42);
  const auto two = await_call<void(std::unique_ptr<int>, std::unique_ptr<int>)>(
      std::make_unique<int>(1), std::make_unique<int>(2));
  CHECK(*std::get<0>(two) + *std::get<1>(two) == 3);
}

struct NoDefault {
  explicit NoDefault(int n) : number(n) {}
  int number;
};

TEST_CASE("use_coroutine: a result needs no default constructor") {
  CHECK(await_call<void(error_code, NoDefault)>(error_code(), NoDefault(5)).number == 5);
}

TEST_CASE("use_coroutine: a result whose copy throws fails the await") {
  struct Explosive {
    Explosive() = default;
    Explosive(const Explosive&) { throw std::runtime_error("bang"); }
  };
  aio::EventLoop loop;
  auto coroutine = asio::async_initiate<decltype(use_coroutine), void(Explosive)>(
      [](auto handler) { std::move(handler)(Explosive()); }, use_coroutine);
  CHECK_THROWS_WITH(loop.run_until_complete(std::move(coroutine)), "bang");
}

// ---------------------------------------------------------------- adaptors

TEST_CASE("as_tuple: gives the error_code and all arguments, and throws nothing") {
  aio::EventLoop loop;
  const auto tuple_of = [&](auto token, error_code error) {
    return loop.run_until_complete(
        async_call<void(error_code, int)>(loop.context(), token, error, 7));
  };
  CHECK(tuple_of(aio::as_tuple(use_coroutine), refused) == std::tuple(refused, 7));
  CHECK(tuple_of(asio::as_tuple(use_coroutine), error_code()) == std::tuple(error_code(), 7));
}

TEST_CASE("redirect_error: puts the error aside") {
  aio::EventLoop loop;
  error_code error;
  const int value = loop.run_until_complete(async_call<void(error_code, int)>(
      loop.context(), asio::redirect_error(use_coroutine, error), refused, 7));
  CHECK(value == 7);
  CHECK(error == refused);
}

TEST_CASE("deferred: what it makes is awaited with use_coroutine later") {
  aio::EventLoop loop;
  auto operation =
      async_call<void(error_code, int)>(loop.context(), asio::deferred, error_code(), 7);
  CHECK(loop.run_until_complete(std::move(operation)(use_coroutine)) == 7);
}

TEST_CASE("bind_executor: the handler runs there, and the coroutine goes on in its loop") {
  aio::EventLoop loop;
  const RunningContext other;
  const auto main = [](asio::io_context& bound) -> Coroutine<std::thread::id> {
    co_await asio::post(asio::bind_executor(bound, use_coroutine));
    co_return std::this_thread::get_id();
  };
  CHECK(loop.run_until_complete(main(other.context)) == std::this_thread::get_id());
}

TEST_CASE("post: without an executor is a turn of the loop, in its own thread") {
  aio::EventLoop loop({.virtual_time = true});
  const auto main = []() -> Coroutine<int> {
    int others = 0;
    aio::get_running_loop().call_soon([&] { ++others; });
    co_await asio::post(use_coroutine);
    co_await asio::dispatch(use_coroutine);
    co_return others;
  };
  CHECK(loop.run_until_complete(main()) == 1);
}

TEST_CASE("as_default_on: an object's operations need no token") {
  aio::EventLoop loop;
  const auto main = [](aio::EventLoop& in) -> Coroutine<bool> {
    using Timer = aio::use_coroutine_t::as_default_on_t<asio::steady_timer>;
    Timer timer(in.context());
    timer.expires_after(std::chrono::nanoseconds(1));
    co_await timer.async_wait();
    co_return true;
  };
  CHECK(loop.run_until_complete(main(loop)));
}

// ---------------------------------------------------------------- starting

TEST_CASE("use_coroutine: the operation starts when it is awaited, not before") {
  aio::EventLoop loop;
  bool started = false;
  auto coroutine = asio::async_initiate<decltype(use_coroutine), void(int)>(
      [&](auto handler, int number) {
        started = true;
        std::move(handler)(number);
      },
      use_coroutine, 7);
  run_briefly(loop);
  CHECK_FALSE(started);
  CHECK(loop.run_until_complete(std::move(coroutine)) == 7);
  CHECK(started);
}

TEST_CASE("use_coroutine: an operation that is never awaited frees what it was given") {
  const auto owned = std::make_shared<int>(1);
  {
    auto coroutine = asio::async_initiate<decltype(use_coroutine), void()>(
        [owned](auto, auto) {}, use_coroutine, std::make_unique<int>(2));
    CHECK(owned.use_count() == 2);
  }
  CHECK(owned.use_count() == 1);
}

TEST_CASE("use_coroutine: what the initiation throws comes out of the await") {
  aio::EventLoop loop;
  auto coroutine = asio::async_initiate<decltype(use_coroutine), void()>(
      [](auto) { throw std::invalid_argument("no"); }, use_coroutine);
  CHECK_THROWS_AS(loop.run_until_complete(std::move(coroutine)), std::invalid_argument);
}

TEST_CASE("use_coroutine: a handler that is dropped fails the await and says why") {
  aio::EventLoop loop;
  auto coroutine =
      asio::async_initiate<decltype(use_coroutine), void()>([](auto) {}, use_coroutine);
  CHECK_THROWS_WITH_AS(loop.run_until_complete(std::move(coroutine)),
                       doctest::Contains("its completion handler was destroyed"), RuntimeError);
}

TEST_CASE("use_coroutine: arguments that can only be moved reach the initiation") {
  aio::EventLoop loop;
  auto coroutine = asio::async_initiate<decltype(use_coroutine), void(int)>(
      [](auto handler, std::unique_ptr<int> number) { std::move(handler)(*number); }, use_coroutine,
      std::make_unique<int>(7));
  CHECK(loop.run_until_complete(std::move(coroutine)) == 7);
}

// ---------------------------------------------------------------- Asio's objects

Coroutine<int> ping_pong(asio::io_context& context, int rounds) {
  Stream near(context), far(context);
  asio::local::connect_pair(near, far);
  const auto answer = [](Stream& stream) -> Coroutine<> {
    std::array<char, 64> buffer;
    for (;;) {
      const auto [error, n] =
          co_await stream.async_read_some(asio::buffer(buffer), aio::as_tuple(use_coroutine));
      if (error) co_return;
      co_await asio::async_write(stream, asio::buffer(buffer, n), use_coroutine);
    }
  };
  auto server = aio::create_task(answer(far));
  int right = 0;
  for (int i = 0; i < rounds; ++i) {
    std::string text(100, static_cast<char>('a' + i % 26)), echo(100, ' ');
    co_await asio::async_write(near, asio::buffer(text), use_coroutine);
    co_await asio::async_read(near, asio::buffer(echo), use_coroutine);
    right += text == echo;
  }
  near.close();
  co_await server;
  co_return right;
}

TEST_CASE("sockets: a ping-pong of reads and writes, temporaries in the co_await expression") {
  aio::EventLoop loop;
  CHECK(loop.run_until_complete(ping_pong(loop.context(), 30)) == 30);
}

TEST_CASE("sockets: many connections at once") {
  aio::EventLoop loop;
  const auto main = [](aio::EventLoop& in) -> Coroutine<int> {
    std::vector<aio::Task<int>> pairs;
    for (int i = 0; i < 50; ++i) pairs.push_back(aio::create_task(ping_pong(in.context(), 10)));
    int right = 0;
    for (auto& pair : pairs) right += co_await pair;
    co_return right;
  };
  CHECK(loop.run_until_complete(main(loop)) == 500);
}

TEST_CASE("sockets: the end of the stream is a system_error") {
  aio::EventLoop loop;
  const auto main = [](aio::EventLoop& in) -> Coroutine<> {
    Stream near(in.context()), far(in.context());
    asio::local::connect_pair(near, far);
    far.close();
    char byte;
    co_await asio::async_read(near, asio::buffer(&byte, 1), use_coroutine);
  };
  CHECK_THROWS_AS(loop.run_until_complete(main(loop)), system_error);
}

TEST_CASE("signal_set: gives the signal's number") {
  aio::EventLoop loop;
  const auto main = [](aio::EventLoop& in) -> Coroutine<int> {
    asio::signal_set signals(in.context(), SIGUSR1);
    in.call_soon([] { std::raise(SIGUSR1); });
    co_return co_await signals.async_wait(use_coroutine);
  };
  CHECK(loop.run_until_complete(main(loop)) == SIGUSR1);
}

TEST_CASE("channels: an item and the end") {
  aio::EventLoop loop;
  const auto main = [](aio::EventLoop& in) -> Coroutine<std::string> {
    asio::experimental::channel<void(error_code, std::string)> channel(in.context(), 1);
    co_await channel.async_send(error_code(), "item", use_coroutine);
    std::string item = co_await channel.async_receive(use_coroutine);
    channel.close();
    try {
      co_await channel.async_receive(use_coroutine);
    } catch (const system_error&) {
      item += ", closed";
    }
    co_return item;
  };
  CHECK(loop.run_until_complete(main(loop)) == "item, closed");
}

TEST_CASE("async_compose: an operation of the user's own") {
  aio::EventLoop loop;
  const auto main = [](aio::EventLoop& in) -> Coroutine<int> {
    asio::steady_timer timer(in.context());
    const auto step = [&timer, n = 0](auto& self, error_code error = {}) mutable {
      if (error || ++n == 4) return self.complete(error, n);
      timer.expires_after(std::chrono::nanoseconds(1));
      timer.async_wait(std::move(self));
    };
    co_return co_await asio::async_compose<decltype(use_coroutine), void(error_code, int)>(
        step, use_coroutine, timer);
  };
  CHECK(loop.run_until_complete(main(loop)) == 4);
}

TEST_CASE("create_task: takes an operation as it takes a coroutine") {
  aio::EventLoop loop;
  asio::steady_timer timer(loop.context(), std::chrono::nanoseconds(1));
  auto task = loop.create_task(timer.async_wait(use_coroutine));
  loop.run_until_complete(task);
  CHECK(task.done());
}

TEST_CASE("gather: takes operations as it takes coroutines") {
  aio::EventLoop loop;
  const auto main = [](aio::EventLoop& in) -> Coroutine<int> {
    auto [a, b] = co_await aio::gather(
        async_call<void(error_code, int)>(in.context(), use_coroutine, error_code(), 3),
        async_call<void(int)>(in.context(), use_coroutine, 4));
    co_return a + b;
  };
  CHECK(loop.run_until_complete(main(loop)) == 7);
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
