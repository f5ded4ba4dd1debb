// std::future in and out of plait.
#include <doctest/doctest.h>

#include <chrono>
#include <future>
#include <memory>
#include <plait/aio.hpp>
#include <plait/futures.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "../support/gate.hpp"
#include "../support/log_capture.hpp"
#include "../support/loop_probe.hpp"
#include "../support/on_loop.hpp"
#include "../support/process_probe.hpp"

namespace plait::test {
namespace {

TEST_SUITE_BEGIN("bridge/std_future");

TEST_CASE("wrap_future: awaits a std::future that a thread sets") {
  const auto threads = thread_count();
  on_loop([]() -> Coroutine<> {
    std::promise<std::unique_ptr<int>> promise;
    auto wrapper = aio::wrap_future(promise.get_future());
    CHECK_FALSE(wrapper.done());
    std::thread([&] { promise.set_value(std::make_unique<int>(3)); }).join();
    const auto value = co_await std::move(wrapper);
    CHECK(*value == 3);
  });
  CHECK(eventually([&] { return thread_count() == threads; }));
}

TEST_CASE("wrap_future: a std::future that is ready needs no thread") {
  const auto threads = thread_count();
  on_loop([threads]() -> Coroutine<> {
    std::promise<int> good;
    good.set_value(1);
    CHECK(aio::wrap_future(good.get_future()).result() == 1);
    std::promise<void> bad;
    bad.set_exception(std::make_exception_ptr(std::domain_error("bad")));
    CHECK_THROWS_AS(aio::wrap_future(bad.get_future()).result(), std::domain_error);
    std::promise<std::string> shared;
    shared.set_value("s");
    CHECK(aio::wrap_future(shared.get_future().share()).result() == "s");
    CHECK(thread_count() == threads);
    co_return;
  });
}

TEST_CASE("wrap_future: a std::promise that breaks, and std::async, deferred or not") {
  const auto threads = thread_count();
  on_loop([]() -> Coroutine<> {
    auto promise = std::make_unique<std::promise<int>>();
    auto broken = aio::wrap_future(promise->get_future());
    promise.reset();
    bool threw = false;
    try {
      co_await broken;
    } catch (const std::future_error&) {
      threw = true;
    }
    CHECK(threw);
    const auto this_thread = std::this_thread::get_id();
    for (const auto policy : {std::launch::async, std::launch::deferred}) {
      const auto where =
          co_await aio::wrap_future(std::async(policy, [] { return std::this_thread::get_id(); }));
      CHECK(where != this_thread);
    }
  });
  CHECK(eventually([&] { return thread_count() == threads; }));
}

TEST_CASE("wrap_future: cancelling it ends it at once; the std::future is nobody's business") {
  const auto threads = thread_count();
  std::promise<int> promise;
  on_loop([&]() -> Coroutine<> {
    const auto wrapper = aio::wrap_future(promise.get_future());
    CHECK(wrapper.cancel());
    CHECK(wrapper.cancelled());
    co_await aio::sleep(1h);
  });
  promise.set_value(1);
  CHECK(eventually([&] { return thread_count() == threads; }));
}

TEST_CASE("wrap_future: virtual time stands still until a std::future is ready") {
  on_loop([]() -> Coroutine<> {
    auto& loop = aio::get_running_loop();
    std::promise<void> promise;
    const auto wrapper = aio::wrap_future(promise.get_future());
    const auto start = loop.time();
    loop.call_later(1h, [] {});
    ProbedThread setter([&] { promise.set_value(); });
    co_await wrapper;
    CHECK(loop.time() == start);
  });
}

TEST_CASE("close: a wrapped std::future that is ready only then hurts nobody") {
  const auto threads = thread_count();
  std::promise<int> promise;
  Future<int> wrapper;
  {
    aio::EventLoop loop;
    loop.call_soon([&] { wrapper = aio::wrap_future(promise.get_future()); });
    run_once(loop);
  }
  promise.set_value(1);
  CHECK(eventually([&] { return wrapper.done() && thread_count() == threads; }));
  CHECK(wrapper.cancelled());
}

TEST_CASE("wrap_future: needs a running loop and a std::future with a state") {
  CHECK_THROWS_AS(aio::wrap_future(std::promise<int>().get_future()), RuntimeError);
  on_loop([]() -> Coroutine<> {
    CHECK_THROWS_AS(aio::wrap_future(std::future<int>()), InvalidStateError);
    CHECK_THROWS_AS(aio::wrap_future(std::shared_future<int>()), InvalidStateError);
    co_return;
  });
}

TEST_CASE("to_std_future: is ready when the job has ended, with its value or error") {
  ThreadPoolExecutor pool(1);
  Gate gate;
  const auto value = aio::to_std_future(pool.submit([&] {
    gate.pass();
    return std::string("done");
  }));
  const auto error = aio::to_std_future(pool.submit([] { throw std::domain_error("bad"); }));
  CHECK(value.wait_for(0s) == std::future_status::timeout);
  gate.open();
  CHECK(value.get() == "done");
  CHECK_THROWS_AS(error.get(), std::domain_error);
}

TEST_CASE("to_std_future: a cancellation comes out as CancelledError") {
  const Promise<int> promise;
  const auto future = aio::to_std_future(promise.get_future());
  promise.get_future().cancel();
  CHECK_THROWS_AS(future.get(), CancelledError);
}

TEST_CASE("to_std_future: copies the value, or moves it where it can only be moved") {
  Promise<std::string> copied;
  copied.set_result("c");
  const auto kept = copied.get_future();
  CHECK(aio::to_std_future(kept).get() == "c");
  CHECK(kept.result() == "c");
  ThreadPoolExecutor pool(1);
  CHECK(*aio::to_std_future(pool.submit([] { return std::make_unique<int>(2); })).get() == 2);
}

TEST_CASE("to_std_future: of a task is ready even if the loop is closed first") {
  const LogCapture log;  // of the pending task
  std::shared_future<void> future;
  {
    aio::EventLoop loop;
    future = aio::to_std_future(loop.create_task(aio::sleep(1h)));
  }
  CHECK_THROWS_AS(future.get(), CancelledError);
  CHECK_THROWS_AS(aio::to_std_future(Future<int>()), InvalidStateError);
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
