// A loop's futures for those of executors, of other loops and of promises.
#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <plait/aio.hpp>
#include <plait/futures.hpp>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "../support/gate.hpp"
#include "../support/log_capture.hpp"
#include "../support/loop_probe.hpp"
#include "../support/loop_thread.hpp"
#include "../support/on_loop.hpp"
#include "../support/prepared_futures.hpp"
#include "../support/process_probe.hpp"

namespace plait::test {
namespace {

// Once it is done, the loop has called its callbacks.
Coroutine<> let_end(Future<> f) {
  while (!f.done()) co_await aio::yield();
  co_await settle();
}

TEST_SUITE_BEGIN("bridge/wrap_future");

TEST_CASE("wrap_future: gives value, error and cancellation on, of what is done and what is not") {
  on_loop([]() -> Coroutine<> {
    PreparedFutures futures;
    CHECK(co_await aio::wrap_future(futures.succeeded) == 42);
    const auto failed = aio::wrap_future(futures.failed);
    CHECK(failed.done());
    CHECK_THROWS_AS(failed.result(), TestError);
    CHECK(aio::wrap_future(futures.cancelled).cancelled());
    const auto pending = aio::wrap_future(futures.pending);
    const auto running = aio::wrap_future(futures.running);
    CHECK_FALSE(pending.done());
    futures.pending_promise.set_result(5);
    CHECK(co_await pending == 5);
    futures.running_promise.set_exception(TestError("late"));
    CHECK(running.done());  // set in the loop's own thread
    CHECK_THROWS_AS(running.result(), TestError);
  });
}

TEST_CASE("wrap_future: refuses a future without a state") {
  on_loop([]() -> Coroutine<> {
    CHECK_THROWS_AS(aio::wrap_future(Future<int>()), InvalidStateError);
    co_return;
  });
}

TEST_CASE("wrap_future: callbacks run in the loop, by call_soon") {
  on_loop([]() -> Coroutine<> {
    Promise<> promise;
    const auto wrapper = aio::wrap_future(promise.get_future());
    std::optional<std::thread::id> called;
    wrapper.add_done_callback([&](const Future<>&) { called = std::this_thread::get_id(); });
    std::thread([&] { promise.set_result(); }).join();
    CHECK_FALSE(wrapper.done());
    co_await settle();
    CHECK(wrapper.done());
    CHECK(called == std::this_thread::get_id());
  });
}

TEST_CASE("wrap_future: awaits a task of another loop") {
  RunningLoop other;
  aio::run([](aio::EventLoop& loop) -> Coroutine<> {
    const auto give = []() -> Coroutine<int> { co_return 8; };
    auto future = aio::run_coroutine_threadsafe(give(), loop);
    CHECK(co_await aio::wrap_future(std::move(future)) == 8);
  }(other.loop()));
}

Coroutine<> sleep_long(Gate& started, bool& cancelled) {
  started.let_through(1);
  started.pass();
  try {
    co_await aio::sleep(1h);
  } catch (const CancelledError&) {
    cancelled = true;
    throw;
  }
}

TEST_CASE("wrap_future: cancelling who awaits a task of another loop cancels that") {
  RunningLoop other;
  Gate started;
  bool cancelled = false;
  const auto task = aio::run_coroutine_threadsafe(sleep_long(started, cancelled), other.loop());
  started.wait_for_arrivals(1);
  aio::run([](Future<> awaited) -> Coroutine<> {
    const auto waiting =
        aio::create_task([](Future<> f) -> Coroutine<> { co_await aio::wrap_future(f); }(awaited));
    co_await aio::yield();
    waiting.cancel();
    co_await let_end(waiting);
    CHECK(waiting.cancelled());
  }(task));
  task.wait();
  CHECK(cancelled);
}

TEST_CASE("Future::cancel: of a wrapper cancels a queued job and asks a running one to stop") {
  on_loop([]() -> Coroutine<> {
    ThreadPoolExecutor pool(1);
    Gate gate;
    std::stop_token token;
    const auto running = pool.submit([&](std::stop_token stop) {
      token = std::move(stop);
      gate.pass();
    });
    const auto queued = pool.submit([] {});
    gate.wait_for_arrivals(1);
    const auto first = aio::wrap_future(running), second = aio::wrap_future(queued);
    CHECK(first.cancel());
    CHECK(second.cancel());
    CHECK(first.cancelled());
    CHECK(queued.cancelled());
    CHECK(token.stop_requested());
    CHECK_FALSE(running.done());
    gate.open();
    co_await running;
    CHECK(first.cancelled());
  });
}

TEST_CASE("Future::cancel: of a wrapper, in another thread, reaches what it wraps") {
  on_loop([]() -> Coroutine<> {
    const Promise<> promise;
    const auto wrapper = aio::wrap_future(promise.get_future());
    std::thread([&] {
      CHECK(wrapper.cancel());
      CHECK(wrapper.cancel());
    }).join();
    CHECK(promise.get_future().cancelled());
    co_await settle();
  });
}

TEST_CASE("Future::cancel: of a wrapper lets virtual time go on") {
  on_loop([]() -> Coroutine<> {
    ThreadPoolExecutor pool(1);
    Gate gate;
    const auto job = pool.submit([&] { gate.pass(); });
    gate.wait_for_arrivals(1);
    aio::wrap_future(job).cancel();
    co_await aio::sleep(1h);
    CHECK_FALSE(job.done());
    gate.open();
  });
}

TEST_CASE("wrap_future: virtual time stands still until a wrapped job ends") {
  on_loop([]() -> Coroutine<> {
    ThreadPoolExecutor pool(1);
    Gate gate;
    const auto wrapper = aio::wrap_future(pool.submit([&] { gate.pass(); }));
    const auto start = aio::get_running_loop().time();
    aio::get_running_loop().call_later(1h, [] {});
    std::thread opener([&] {
      gate.wait_for_arrivals(1);
      gate.open();
    });
    co_await wrapper;
    CHECK(aio::get_running_loop().time() == start);
    opener.join();
  });
}

TEST_CASE("close: a wrapper is cancelled when what it wraps ends, and nobody is called") {
  Promise<int> promise;
  std::optional<Future<int>> wrapper;
  bool called = false;
  {
    aio::EventLoop loop;
    loop.call_soon([&] {
      wrapper = aio::wrap_future(promise.get_future());
      wrapper->add_done_callback([&](const Future<int>&) { called = true; });
    });
    run_once(loop);
  }
  CHECK_FALSE(wrapper->done());
  promise.set_result(1);
  CHECK(wrapper->cancelled());
  CHECK_FALSE(called);
  CHECK(promise.get_future().result() == 1);
}

TEST_CASE("wrap_future: a result that can only be moved is moved") {
  on_loop([]() -> Coroutine<> {
    ThreadPoolExecutor pool(1);
    auto wrapper = aio::wrap_future(pool.submit([] { return std::make_unique<int>(4); }));
    const std::unique_ptr<int> result = co_await std::move(wrapper);
    CHECK(*result == 4);
  });
}

TEST_CASE("wrap_future: an error that the wrapper gave on is not reported as lost") {
  const LogCapture log;
  on_loop([]() -> Coroutine<> {
    ThreadPoolExecutor pool(1);
    const auto fail = [] { throw TestError("seen"); };
    auto wrapper = aio::wrap_future(pool.submit(fail));
    try {
      co_await wrapper;
    } catch (const TestError&) {
    }
  });
  CHECK(log.size() == 0);
}

TEST_CASE("wrap_future: can be given to what refuses futures of other loops") {
  RunningLoop other;
  aio::run([](aio::EventLoop& loop) -> Coroutine<> {
    const auto give = [](int value) -> Coroutine<int> { co_return value; };
    std::vector<Future<int>> wrapped;
    for (int i = 0; i < 3; ++i) {
      wrapped.push_back(aio::wrap_future(aio::run_coroutine_threadsafe(give(i), loop)));
    }
    const auto results = co_await aio::gather(std::move(wrapped));
    const std::vector<int> expected{0, 1, 2};
    CHECK(results == expected);
  }(other.loop()));
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
