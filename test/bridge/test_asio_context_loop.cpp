// ContextLoop: a loop that has its turns in an io_context which the test runs.
#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <optional>
#include <plait/aio.hpp>
#include <plait/bridge/asio.hpp>
#include <plait/futures.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include "../support/asio_probe.hpp"
#include "../support/loop_probe.hpp"
#include "../support/on_loop.hpp"
#include "../support/socket_pair.hpp"

namespace plait::test {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using aio::use_coroutine;
using boost::system::error_code;

TEST_SUITE_BEGIN("bridge/asio_context_loop");

TEST_CASE("ContextLoop: a foreign io_context runs coroutines, timers and callbacks to their end") {
  //! [context_loop]
  asio::io_context context;
  aio::ContextLoop plait(context);
  const auto count = [](asio::io_context& in) -> Coroutine<int> {
    asio::steady_timer timer(in, 1ms);
    co_await timer.async_wait(use_coroutine);
    co_await aio::sleep(1ms);
    co_return 2;
  };
  auto task = plait.loop().create_task(count(context));
  context.run();  // returns when there is nothing more to do
  CHECK(task.result() == 2);
  //! [context_loop]
  CHECK(&plait.loop().context() == &context);
}

TEST_CASE("ContextLoop: what is scheduled between two turns is run") {
  asio::io_context context;
  aio::ContextLoop plait(context);
  std::vector<std::string> calls;
  asio::steady_timer later(context, 1ms);
  later.async_wait([&](error_code) {  // no turn runs now, and the loop sleeps
    plait.loop().call_soon([&] { calls.push_back("soon"); });
    plait.loop().call_later(1ms, [&] { calls.push_back("later"); });
  });
  context.run();
  CHECK(calls == std::vector<std::string>{"soon", "later"});
}

TEST_CASE("ContextLoop: an earlier timer is not kept waiting by one that was there before") {
  asio::io_context context;
  aio::ContextLoop plait(context);
  auto& loop = plait.loop();
  auto far = loop.call_later(1h, [] {});
  asio::post(context, [&] {
    asio::post(context, [&] {
      loop.call_later(1ms, [&] {
        far.cancel();
        context.stop();
      });
    });
  });
  CHECK(context.run() > 0);
}

TEST_CASE("ContextLoop: futures of other threads wake it, and tasks keep the context running") {
  ThreadPoolExecutor pool(1);
  asio::io_context context;
  aio::ContextLoop plait(context);
  auto& loop = plait.loop();
  const auto main = [](ThreadPoolExecutor& in) -> Coroutine<int> {
    int sum = 0;
    for (int i = 0; i < 100; ++i) sum += co_await in.submit([i] { return i; });
    co_return sum;
  };
  auto task = loop.create_task(main(pool));
  context.run();
  CHECK(task.result() == 4950);
}

TEST_CASE("ContextLoop: descriptors are watched by the foreign context") {
  asio::io_context context;
  aio::ContextLoop plait(context);
  const SocketPair sockets;
  std::string got;
  plait.loop().add_reader(sockets.near(), [&] {
    got = sockets.receive();
    plait.loop().remove_reader(sockets.near());
  });
  sockets.send("x");
  context.run();
  CHECK(got == "x");
}

TEST_CASE("ContextLoop: many tasks and the context's own handlers take turns") {
  asio::io_context context;
  aio::ContextLoop plait(context);
  bool done = false;
  int own = 0;
  const auto busy = [](bool& flag) -> Coroutine<> {
    for (int i = 0; i < 1000; ++i) co_await aio::yield();
    flag = true;
  };
  auto task = plait.loop().create_task(busy(done));
  const auto again = [&](auto& self) -> void {
    ++own;
    if (!done) asio::post(context, [&] { self(self); });
  };
  asio::post(context, [&] { again(again); });
  context.run();
  CHECK(done);
  CHECK(own > 2);
}

TEST_CASE("ContextLoop: cancelling reaches operations; a timeout ends one") {
  asio::io_context context;
  aio::ContextLoop plait(context);
  Pair pair(context, context);
  const auto main = [](Stream& stream) -> Coroutine<bool> {
    std::array<char, 8> buffer;
    co_return co_await throws<TimeoutError>(
        aio::wait_for(stream.async_read_some(asio::buffer(buffer), use_coroutine), 1ms));
  };
  auto task = plait.loop().create_task(main(pair.near));
  context.run();
  CHECK(task.result());
}

TEST_CASE("ContextLoop: is closed with operations in flight, and the context runs on") {
  asio::io_context context;
  Pair pair(context, context);
  std::optional<aio::Task<>> task;
  {
    aio::ContextLoop plait(context);
    plait.loop().set_exception_handler([](auto&&...) {});
    task = plait.loop().create_task(read_for_ever(pair.near));
    const SocketPair watched;
    plait.loop().add_reader(watched.near(), [] {});
    plait.loop().call_later(1h, [] {});
    while (context.poll() > 0) {
    }
  }
  CHECK(end_of(*task) == "cancelled");
  asio::write(pair.far, asio::buffer("abc", 3));
  context.run();
  char byte;
  CHECK(asio::read(pair.near, asio::buffer(&byte, 1)) == 1);  // nobody has read it
}

TEST_CASE("ContextLoop: refuses virtual time, and to be run by itself") {
  asio::io_context context;
  CHECK_THROWS_AS(aio::ContextLoop(context, {.virtual_time = true}), std::invalid_argument);
  aio::ContextLoop plait(context);
  CHECK_THROWS_AS(plait.loop().run_forever(), RuntimeError);
}

TEST_CASE("ContextLoop: call_soon_threadsafe from another thread while the context sleeps") {
  asio::io_context context;
  aio::ContextLoop plait(context);
  auto promise = plait.loop().create_promise<int>();
  const auto wait = [](Future<int> f) -> Coroutine<int> { co_return co_await f; };
  auto task = plait.loop().create_task(wait(promise.get_future()));
  std::thread other([&] {
    for (int i = 0; i < 50; ++i) plait.loop().call_soon_threadsafe([] {});
    plait.loop().call_soon_threadsafe([&] { promise.set_result(7); });
  });
  context.run();
  CHECK(task.result() == 7);
  other.join();
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
