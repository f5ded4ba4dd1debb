// Asio operations and loops, whichever of them goes first and whoever runs the context.
#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <memory>
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
#include <boost/asio/strand.hpp>
#include <boost/asio/write.hpp>

#include "../support/asio_probe.hpp"
#include "../support/log_capture.hpp"
#include "../support/loop_probe.hpp"
#include "../support/on_loop.hpp"
#include "../support/socket_pair.hpp"

namespace plait::test {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using aio::use_coroutine;
using boost::system::error_code;

TEST_SUITE_BEGIN("bridge/asio_contexts");

// ---------------------------------------------------------------- the loop goes first

// A coroutine that waits with its buffer in its frame.
Coroutine<> read_for_ever(Stream& stream) {
  std::array<char, 64> buffer;
  co_await asio::async_read(stream, asio::buffer(buffer), use_coroutine);
}

TEST_CASE("close: with operations pending destroys the coroutines, then the operations") {
  auto loop = std::make_unique<aio::EventLoop>();
  const Reports reports(*loop);
  std::vector<aio::Task<>> tasks;
  {
    Pair pair(*loop);
    asio::steady_timer timer(loop->context(), 1h);
    tasks.push_back(loop->create_task(read_for_ever(pair.near)));
    tasks.push_back(loop->create_task(timer.async_wait(use_coroutine)));
    run_briefly(*loop);
    loop->call_soon([&] { tasks[1].cancel(); });
    tasks[0].cancel();
    run_briefly(*loop);
  }
  loop->close();
  for (const auto& task : tasks) CHECK(task.done());
}

TEST_CASE("close: while sockets live on that coroutines were reading from") {
  aio::EventLoop loop;
  loop.set_exception_handler([](auto&&...) {});
  {
    auto pair = std::make_shared<Pair>(loop);
    const auto keep = [](std::shared_ptr<Pair> p) -> Coroutine<> {
      co_await read_for_ever(p->near);
    };
    auto task = loop.create_task(keep(pair));
    run_briefly(loop);
    pair.reset();
    loop.close();
    CHECK(end_of(task) == "cancelled");
  }
}

TEST_CASE("close: a handler that outlives the loop still has its operation") {
  Manual manual;
  {
    aio::EventLoop loop;
    loop.set_exception_handler([](auto&&...) {});
    std::string seen;
    auto task = loop.create_task(take_then_wait(manual, seen));
    run_briefly(loop);
  }
  manual.finish({}, 7);
}

TEST_CASE("close: a handler that is dropped after the loop was closed") {
  Manual manual;
  {
    aio::EventLoop loop;
    loop.set_exception_handler([](auto&&...) {});
    auto task = loop.create_task(manual.async());
    run_briefly(loop);
  }
  manual.finish = nullptr;
}

// ---------------------------------------------------------------- other contexts

TEST_CASE("other contexts: the coroutine goes on in its loop, the operation runs in its own") {
  aio::EventLoop loop;
  const RunningContext other;
  const auto main = [](asio::io_context& context) -> Coroutine<bool> {
    asio::steady_timer timer(context, 1ns);
    co_await timer.async_wait(use_coroutine);
    co_return aio::get_running_loop_or_null() != nullptr;
  };
  CHECK(loop.run_until_complete(main(other.context)));
}

TEST_CASE("other contexts: cancel is carried to the operation's thread") {
  aio::EventLoop loop;
  const RunningContext other;
  Pair pair(other.context, other.context);
  auto task = loop.create_task(read_for_ever(pair.near));
  run_briefly(loop);
  task.cancel();
  CHECK(run_to_end(loop, task) == "cancelled");
}

TEST_CASE("other contexts: closing the loop waits until the operation has let go of its buffer") {
  const RunningContext other;
  Pair pair(other.context, other.context);
  std::optional<aio::Task<>> task;
  {
    aio::EventLoop loop;
    loop.set_exception_handler([](auto&&...) {});
    task = loop.create_task(read_for_ever(pair.near));
    run_briefly(loop);
  }
  CHECK(end_of(*task) == "cancelled");
  const auto text = std::string(64, 'x');
  asio::write(pair.far, asio::buffer(text));  // nobody reads it: the buffer is gone
}

TEST_CASE("other contexts: one that ends first fails the await") {
  aio::EventLoop loop;
  auto other = std::make_unique<asio::io_context>();
  auto task = loop.create_task(asio::post(*other, use_coroutine));
  run_briefly(loop);
  loop.call_soon([&] { other.reset(); });
  CHECK(run_to_end(loop, task).find("handler was destroyed") != std::string::npos);
}

TEST_CASE("two loops in two threads: a conversation over one pair of sockets") {
  constexpr int rounds = 200;
  const auto talk = [](Stream& stream, bool first) -> Coroutine<int> {
    int heard = 0;
    for (int i = 0; i < rounds; ++i) {
      char byte = static_cast<char>(i);
      if (first) co_await asio::async_write(stream, asio::buffer(&byte, 1), use_coroutine);
      co_await asio::async_read(stream, asio::buffer(&byte, 1), use_coroutine);
      heard += byte == static_cast<char>(i);
      if (!first) co_await asio::async_write(stream, asio::buffer(&byte, 1), use_coroutine);
    }
    co_return heard;
  };
  aio::EventLoop near_loop, far_loop;
  Pair pair(near_loop.context(), far_loop.context());
  int far_heard = 0;
  std::thread thread([&] { far_heard = far_loop.run_until_complete(talk(pair.far, false)); });
  CHECK(near_loop.run_until_complete(talk(pair.near, true)) == rounds);
  thread.join();
  CHECK(far_heard == rounds);
}

// ---------------------------------------------------------------- virtual time

TEST_CASE("virtual time: an operation in flight is no deadlock") {
  aio::EventLoop loop({.virtual_time = true});
  const auto main = [](aio::EventLoop& in) -> Coroutine<> {
    asio::steady_timer timer(in.context(), 1ms);
    co_await timer.async_wait(use_coroutine);
  };
  loop.run_until_complete(main(loop));
}

TEST_CASE("virtual time: nor is one of the user's own, without a coroutine") {
  aio::EventLoop loop({.virtual_time = true});
  auto promise = loop.create_promise<int>();
  asio::steady_timer timer(loop.context(), 1ms);
  timer.async_wait([&](error_code) { promise.set_result(7); });
  CHECK(loop.run_until_complete(promise.get_future()) == 7);
}

TEST_CASE("virtual time: a context without work is a deadlock as before") {
  aio::EventLoop loop({.virtual_time = true});
  loop.context().poll();
  auto promise = loop.create_promise<int>();
  CHECK_THROWS_AS(loop.run_until_complete(promise.get_future()), DeadlockError);
}

// ---------------------------------------------------------------- the loop as an executor

TEST_CASE("context: posts from other threads wake the loop and run in its thread") {
  aio::EventLoop loop;
  auto promise = loop.create_promise<std::thread::id>();
  std::thread poster([&, &context = loop.context()] {
    asio::post(context, [&] { promise.set_result(std::this_thread::get_id()); });
  });
  CHECK(loop.run_until_complete(promise.get_future()) == std::this_thread::get_id());
  poster.join();
}

TEST_CASE("context: a busy loop gives its handlers their turns") {
  aio::EventLoop loop;
  bool posted = false;
  asio::post(loop.context(), [&] { posted = true; });
  const auto busy = [](bool& flag) -> Coroutine<int> {
    int turns = 0;
    while (!flag) {
      co_await aio::yield();
      ++turns;
    }
    co_return turns;
  };
  CHECK(loop.run_until_complete(busy(posted)) < 1000);
}

TEST_CASE("context: what a handler throws goes to the exception handler") {
  aio::EventLoop loop;
  const Reports reports(loop);
  asio::post(loop.context(), [] { throw std::runtime_error("bang"); });
  run_briefly(loop);
  CHECK(reports.size() == 1);
  CHECK(reports.holds_error<std::runtime_error>());
}

TEST_CASE("context: a strand over it serves coroutines as the loop itself does") {
  aio::EventLoop loop;
  const auto main = [](aio::EventLoop& in) -> Coroutine<> {
    auto strand = asio::make_strand(in.context());
    asio::steady_timer timer(strand, 1ns);
    co_await timer.async_wait(use_coroutine);
    co_await asio::post(strand, use_coroutine);
  };
  loop.run_until_complete(main(loop));
}

// ---------------------------------------------------------------- a loop in another's context

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
