// Coroutines that threads send to a loop that is not their own, at every moment of its life.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <plait/aio.hpp>
#include <plait/futures.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "../support/gate.hpp"
#include "../support/lifetime_tracked.hpp"
#include "../support/log_capture.hpp"
#include "../support/loop_probe.hpp"
#include "../support/loop_thread.hpp"
#include "../support/process_probe.hpp"

namespace plait::test {
namespace {

Coroutine<int> give(int value) { co_return value; }
Coroutine<int> give_and_count(int value, int& starts, LifetimeTracked) {
  ++starts;
  co_await aio::yield();
  co_return value;
}
Coroutine<> sleep_with(LifetimeTracked) { co_await aio::sleep(1h); }
Coroutine<> yield_often() { co_await settle(); }

TEST_SUITE_BEGIN("bridge/run_coroutine_threadsafe");

TEST_CASE("run_coroutine_threadsafe: the thread that made the loop may block for another one") {
  LoopThread other;
  const auto future = aio::run_coroutine_threadsafe(give(1), other.loop());
  CHECK_FALSE(future.done());
  other.start();  // who knows whether it has begun to run when the next line does
  CHECK(future.result() == 1);
  CHECK(aio::run_coroutine_threadsafe(give(2), other.loop()).result() == 2);
}

TEST_CASE(
    "run_coroutine_threadsafe: a loop that does not run yet keeps what was posted, in order") {
  aio::EventLoop loop;
  int starts = 0;
  LifetimeCounts counts;
  std::vector<Future<int>> futures;
  std::thread([&] {
    for (int i = 0; i < 3; ++i) {
      futures.push_back(
          aio::run_coroutine_threadsafe(give_and_count(i, starts, LifetimeTracked(counts)), loop));
    }
  }).join();
  CHECK(starts == 0);
  CHECK(aio::all_tasks(loop).empty());
  run_once(loop);
  CHECK(aio::all_tasks(loop).size() == 3);
  CHECK(starts == 0);
  CHECK(loop.run_until_complete(futures[2]) == 2);
  CHECK(starts == 3);
  CHECK(futures[0].result() == 0);
  CHECK(counts.live == 0);
}

TEST_CASE("run_coroutine_threadsafe: cancelled before its first step, a coroutine never starts") {
  aio::EventLoop loop;
  LifetimeCounts counts;
  int starts = 0;
  std::optional<Future<int>> future;
  std::thread([&] {
    future =
        aio::run_coroutine_threadsafe(give_and_count(1, starts, LifetimeTracked(counts)), loop);
    CHECK(future->cancel());
  }).join();
  CHECK_FALSE(future->done());
  CHECK_THROWS_AS(loop.run_until_complete(*future), CancelledError);
  CHECK(starts == 0);
  CHECK(counts.live == 0);
}

TEST_CASE("Future::cancel: in the loop's thread, of a task that has not arrived, keeps it away") {
  aio::EventLoop loop;
  LifetimeCounts counts;
  int starts = 0;
  std::optional<Future<int>> future;
  loop.call_soon([&] {
    std::thread([&] {
      future =
          aio::run_coroutine_threadsafe(give_and_count(1, starts, LifetimeTracked(counts)), loop);
    }).join();
    CHECK(future->cancel());
  });
  run_once(loop);
  CHECK_THROWS_AS(loop.run_until_complete(*future), CancelledError);
  CHECK(starts == 0);
  CHECK(counts.live == 0);
}

TEST_CASE("close: ends tasks that have not arrived, and reports them") {
  LifetimeCounts counts;
  std::vector<Future<>> futures;
  aio::EventLoop loop;
  const Reports reports(loop);
  std::thread([&] {
    for (int i = 0; i < 2; ++i) {
      futures.push_back(aio::run_coroutine_threadsafe(sleep_with(LifetimeTracked(counts)), loop));
    }
    futures[1].cancel();
  }).join();
  CHECK(counts.live == 2);
  loop.close();
  CHECK(counts.live == 0);
  CHECK(reports.size() == 2);
  CHECK(holds(reports.message(), "Task was destroyed but it is pending!"));
  for (const auto& future : futures) {
    CHECK_THROWS_AS(future.result(), CancelledError);
    CHECK_FALSE(future.cancel());
  }
}

TEST_CASE("run_coroutine_threadsafe: a closed loop refuses, and the coroutine is destroyed") {
  LifetimeCounts counts;
  aio::EventLoop loop;
  loop.close();
  const auto post = [&] {
    aio::run_coroutine_threadsafe(sleep_with(LifetimeTracked(counts)), loop);
  };
  CHECK(text_of<RuntimeError>(post) == "Event loop is closed");
  std::thread([&] { CHECK_THROWS_AS(post(), RuntimeError); }).join();
  CHECK(counts.live == 0);
}

TEST_CASE("run_coroutine_threadsafe: refuses a coroutine that was moved from") {
  aio::EventLoop loop;
  auto coroutine = give(1);
  const auto future = aio::run_coroutine_threadsafe(std::move(coroutine), loop);
  CHECK_THROWS_AS(aio::run_coroutine_threadsafe(std::move(coroutine), loop),  // NOLINT: meant
                  InvalidStateError);
  CHECK(loop.run_until_complete(future) == 1);
}

Coroutine<> post_to_own_loop() {
  auto future = aio::run_coroutine_threadsafe(give(7), aio::get_running_loop());
  CHECK_THROWS_AS(future.result(), InvalidStateError);
  CHECK_THROWS_AS(future.result(0s), InvalidStateError);
  CHECK(co_await std::move(future) == 7);
}

TEST_CASE("run_coroutine_threadsafe: in the loop's own thread, await the future") {
  aio::run(post_to_own_loop());
}

ContextVar<std::string> variable{"variable"};
Coroutine<std::string> read_variable() {
  const std::string seen = variable.get("none");
  variable.set("changed");
  co_return seen;
}

TEST_CASE("run_coroutine_threadsafe: the task has the context variables of the thread") {
  RunningLoop other;
  Context().run([&] {
    variable.set("thread's");
    CHECK(aio::run_coroutine_threadsafe(read_variable(), other.loop()).result() == "thread's");
    CHECK(variable.get() == "thread's");
  });
}

Coroutine<std::string> name_of_this_task() { co_return aio::current_task()->get_name(); }

TEST_CASE("run_coroutine_threadsafe: no two tasks have the same name, wherever they were made") {
  RunningLoop other;
  std::vector<std::string> names;
  for (int i = 0; i < 100; ++i) {
    names.push_back(aio::run_coroutine_threadsafe(name_of_this_task(), other.loop()).result());
    names.push_back(aio::run(name_of_this_task()));
  }
  std::ranges::sort(names);
  CHECK(std::ranges::adjacent_find(names) == names.end());
}

Coroutine<std::unique_ptr<int>> give_pointer() { co_return std::make_unique<int>(3); }

TEST_CASE("run_coroutine_threadsafe: gives results that can only be moved") {
  RunningLoop other;
  CHECK(*aio::run_coroutine_threadsafe(give_pointer(), other.loop()).result() == 3);
}

TEST_CASE("run_coroutine_threadsafe: nobody needs the future, and an error is not lost") {
  LogCapture log;
  {
    RunningLoop other;
    const auto fail = []() -> Coroutine<> {
      co_await aio::yield();
      throw RuntimeError("nobody asked");
    };
    static_cast<void>(aio::run_coroutine_threadsafe(fail(), other.loop()));
    aio::run_coroutine_threadsafe(yield_often(), other.loop()).wait();
  }
  CHECK(log.count("exception was never retrieved", "nobody asked") == 1);
}

TEST_CASE("run_coroutine_threadsafe: done-callbacks run in the loop's thread") {
  RunningLoop other;
  std::promise<std::thread::id> called;
  // Not done before the callback is there: then that would run here.
  Promise<int> promise;
  const auto wait = [](Future<int> future) -> Coroutine<int> { co_return co_await future; };
  const auto task = aio::run_coroutine_threadsafe(wait(promise.get_future()), other.loop());
  task.add_done_callback([&](const Future<int>&) { called.set_value(std::this_thread::get_id()); });
  promise.set_result(1);
  CHECK(called.get_future().get() != std::this_thread::get_id());
}

TEST_CASE("stop: a loop that is stopped keeps what arrives, for its next run") {
  LoopThread other;
  other.start();
  other.stop();
  const auto future = aio::run_coroutine_threadsafe(give(5), other.loop());
  CHECK_THROWS_AS(future.result(0s), TimeoutError);
  other.start();
  CHECK(future.result() == 5);
}

Coroutine<> wait_at(Gate& gate) {
  co_await aio::to_thread([&gate] { gate.pass(); });
}

TEST_CASE("run_coroutine_threadsafe: a selector and virtual time change nothing") {
  for (const bool with_selector : {false, true}) {
    Gate gate;
    LoopThread other({.virtual_time = true});
    if (with_selector) other.loop().context();
    const auto held = aio::run_coroutine_threadsafe(wait_at(gate), other.loop());
    const auto start = other.loop().time();
    const auto later = other.loop().call_later(1h, [] {});
    other.start();
    gate.wait_for_arrivals(1);
    for (int i = 0; i < 50; ++i) {
      CHECK(aio::run_coroutine_threadsafe(give(i), other.loop()).result() == i);
    }
    CHECK(other.loop().time() == start);
    other.stop();
    gate.open();
    other.loop().run_until_complete(held);
  }
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
