// Asio operations and loops, whichever of them goes first and whoever runs the context.
#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <plait/aio.hpp>
#include <plait/bridge/asio.hpp>
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
#include "../support/loop_probe.hpp"
#include "../support/on_loop.hpp"

namespace plait::test {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using aio::use_coroutine;
using boost::system::error_code;

TEST_SUITE_BEGIN("bridge/asio_contexts");

// ---------------------------------------------------------------- the loop goes first

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

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
