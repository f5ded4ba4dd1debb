// How cancelling a task reaches the Asio operation that it awaits, and what comes of that.
#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <plait/aio.hpp>
#include <plait/bridge/asio.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
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

TEST_SUITE_BEGIN("bridge/asio_cancellation");

// ---------------------------------------------------------------- before, during, after

TEST_CASE("cancel: before the first step the operation is never started") {
  aio::EventLoop loop;
  bool started = false;
  auto task = loop.create_task(asio::async_initiate<decltype(use_coroutine), void()>(
      [&](auto) { started = true; }, use_coroutine));
  task.cancel();
  CHECK(run_to_end(loop, task) == "cancelled");
  CHECK_FALSE(started);
}

TEST_CASE("cancel: a request that is pending when the await begins keeps it from starting") {
  aio::EventLoop loop;
  bool started = false;
  const auto body = [](bool& flag) -> Coroutine<> {
    aio::current_task()->cancel();
    co_await asio::async_initiate<decltype(use_coroutine), void()>([&flag](auto) { flag = true; },
                                                                   use_coroutine);
  };
  auto task = loop.create_task(body(started));
  CHECK(run_to_end(loop, task) == "cancelled");
  CHECK_FALSE(started);
}

TEST_CASE("cancel: in flight it ends a read, and the socket can be used again") {
  aio::EventLoop loop;
  Pair pair(loop);
  std::array<char, 4> buffer{};
  auto task = loop.create_task(pair.near.async_read_some(asio::buffer(buffer), use_coroutine));
  run_briefly(loop);
  CHECK(task.cancel("enough"));
  CHECK(run_to_end(loop, task) == "cancelled");
  const auto after = [](Pair& p, std::array<char, 4>& b) -> Coroutine<std::size_t> {
    co_await asio::async_write(p.far, asio::buffer("abc", 3), use_coroutine);
    co_return co_await p.near.async_read_some(asio::buffer(b), use_coroutine);
  };
  CHECK(loop.run_until_complete(after(pair, buffer)) == 3);
}

TEST_CASE("cancel: the reason arrives with the CancelledError") {
  aio::EventLoop loop;
  asio::steady_timer timer(loop.context(), 1h);
  auto task = loop.create_task(timer.async_wait(use_coroutine));
  run_briefly(loop);
  task.cancel("enough");
  run_to_end(loop, task);
  try {
    task.result();
    FAIL("not cancelled");
  } catch (const CancelledError& e) {
    CHECK(e.message() == "enough");
  }
}

TEST_CASE("cancel: is a CancelledError with as_tuple, too") {
  aio::EventLoop loop;
  Pair pair(loop);
  char byte;
  auto task = loop.create_task(
      pair.near.async_read_some(asio::buffer(&byte, 1), aio::as_tuple(use_coroutine)));
  run_briefly(loop);
  task.cancel();
  CHECK(run_to_end(loop, task) == "cancelled");
}

TEST_CASE("cancel: reaches composed operations and channels") {
  aio::EventLoop loop;
  Pair pair(loop);
  std::array<char, 100> buffer;
  asio::experimental::channel<void(error_code, int)> channel(loop.context());
  auto read = loop.create_task(asio::async_read(pair.near, asio::buffer(buffer), use_coroutine));
  auto receive = loop.create_task(channel.async_receive(use_coroutine));
  run_briefly(loop);
  read.cancel();
  receive.cancel();
  CHECK(run_to_end(loop, read) == "cancelled");
  CHECK(run_to_end(loop, receive) == "cancelled");
}

TEST_CASE("cancel: an abort that nobody here has asked for is an error of the operation") {
  aio::EventLoop loop;
  asio::steady_timer timer(loop.context(), 1h);
  auto task = loop.create_task(timer.async_wait(use_coroutine));
  run_briefly(loop);
  timer.cancel();
  CHECK(run_to_end(loop, task) == error_code(asio::error::operation_aborted).message());
}

TEST_CASE("timeout: of a read cancels it and loses nothing that comes later") {
  aio::EventLoop loop;
  Pair pair(loop);
  const auto main = [](Pair& p) -> Coroutine<std::string> {
    std::array<char, 8> buffer;
    std::string text;
    try {
      co_await aio::wait_for(p.near.async_read_some(asio::buffer(buffer), use_coroutine), 1ms);
    } catch (const TimeoutError&) {
      text = "timeout, ";
    }
    co_await asio::async_write(p.far, asio::buffer("late", 4), use_coroutine);
    const auto n = co_await p.near.async_read_some(asio::buffer(buffer), use_coroutine);
    co_return text + std::string(buffer.data(), n);
  };
  CHECK(loop.run_until_complete(main(pair)) == "timeout, late");
}

// ---------------------------------------------------------------- in spite of the request

TEST_CASE("cancel: a result that comes in spite of it is not lost, and the next await throws") {
  struct Row {
    const char* name;
    error_code error;
    bool request_first;
    const char* seen;
  };
  const error_code refused = asio::error::connection_refused;
  const Row rows[] = {{"a value, after the request", {}, true, "7"},
                      {"a value, before the request", {}, false, "7"},
                      {"an error, after the request", refused, true, "refused"},
                      {"an error, before the request", refused, false, "refused"}};
  for (const Row& row : rows) {
    CAPTURE(row.name);
    aio::EventLoop loop;
    Manual manual;
    std::string seen;
    auto task = loop.create_task(take_then_wait(manual, seen));
    run_briefly(loop);
    loop.call_soon([&] {
      if (row.request_first) task.cancel();
      manual.finish(row.error, 7);
      if (!row.request_first) task.cancel();
    });
    CHECK(run_to_end(loop, task) == "cancelled");
    CHECK(seen == row.seen);
    CHECK(task.cancelling() == 1);
  }
}

TEST_CASE("cancel: before or after the abort, it is one CancelledError") {
  for (const bool request_first : {true, false}) {
    CAPTURE(request_first);
    aio::EventLoop loop;
    Manual manual;
    std::string seen;
    auto task = loop.create_task(take_then_wait(manual, seen));
    run_briefly(loop);
    loop.call_soon([&] {
      if (request_first) task.cancel();
      manual.finish(asio::error::operation_aborted, 0);
      if (!request_first) task.cancel();
    });
    CHECK(run_to_end(loop, task) == "cancelled");
    CHECK(seen.empty());
  }
}

TEST_CASE("cancel: what cannot be cancelled goes on, and the task waits for it") {
  aio::EventLoop loop;
  Manual manual;
  std::string seen;
  auto task = loop.create_task(take_then_wait(manual, seen));
  run_briefly(loop);
  task.cancel();
  task.cancel();
  run_briefly(loop);
  CHECK_FALSE(task.done());
  loop.call_soon([&] { manual.finish({}, 7); });
  CHECK(run_to_end(loop, task) == "cancelled");
  CHECK(seen == "7");
}

TEST_CASE("uncancel: takes back a request that the operation has survived") {
  aio::EventLoop loop;
  Manual manual;
  std::string seen;
  auto task = loop.create_task(take_then_wait(manual, seen));
  run_briefly(loop);
  task.cancel();
  task.uncancel();
  loop.call_soon([&] { manual.finish({}, 7); });
  CHECK(run_to_end(loop, task) == "value");
}

TEST_CASE("timeout: an item that comes with the timeout is the result of the body") {
  aio::EventLoop loop({.virtual_time = true});
  Manual manual;
  const auto main = [](aio::EventLoop& in, Manual& m) -> Coroutine<int> {
    in.call_later(1s, [&m] { m.finish({}, 7); });
    co_return co_await aio::timeout(1s, [&m](aio::Timeout&) -> Coroutine<int> {
      const int n = co_await m.async();
      co_return n;
    });
  };
  CHECK(loop.run_until_complete(main(loop, manual)) == 7);
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
