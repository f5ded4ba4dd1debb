// CPython's cases of run_coroutine_threadsafe().
#include <doctest/doctest.h>

#include <chrono>
#include <latch>
#include <plait/aio.hpp>
#include <plait/futures.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "../support/loop_thread.hpp"
#include "../support/on_loop.hpp"
#include "../support/process_probe.hpp"

namespace plait::test {
namespace {

TEST_SUITE_BEGIN("conformance/threadsafe");

Coroutine<int> add(int a, int b) {
  co_await aio::sleep(1ms);
  co_return a + b;
}

TEST_CASE(
    "run_coroutine_threadsafe: a thread gets the coroutine's result "
    "[cpython test_tasks.RunCoroutineThreadsafe.test_run_coroutine_threadsafe]") {
  RunningLoop other;
  CHECK(aio::run_coroutine_threadsafe(add(1, 2), other.loop()).result() == 3);
}

Coroutine<int> fail() {
  co_await aio::yield();
  throw RuntimeError("Fail!");
}

TEST_CASE(
    "run_coroutine_threadsafe: a thread gets the coroutine's error "
    "[cpython test_tasks.RunCoroutineThreadsafe.test_with_exception]") {
  RunningLoop other;
  CHECK_THROWS_WITH_AS(aio::run_coroutine_threadsafe(fail(), other.loop()).result(), "Fail!",
                       RuntimeError);
}

Coroutine<std::size_t> count_other_tasks() { co_return aio::all_tasks().size() - 1; }

Coroutine<> sleep_long(std::latch& started, std::atomic<bool>& cancelled) {
  started.count_down();
  try {
    co_await aio::sleep(1h);
  } catch (const CancelledError&) {
    cancelled = true;
    throw;
  }
}

TEST_CASE(
    "run_coroutine_threadsafe: a thread that waits no longer cancels the task "
    "[cpython test_tasks.RunCoroutineThreadsafe.test_with_timeout]") {
  RunningLoop other;
  std::latch started(1);
  std::atomic<bool> cancelled{false};
  const auto future = aio::run_coroutine_threadsafe(sleep_long(started, cancelled), other.loop());
  CHECK_THROWS_AS(future.result(0s), TimeoutError);
  started.wait();
  CHECK(future.cancel());
  future.wait();
  CHECK(cancelled);
  CHECK(aio::run_coroutine_threadsafe(count_other_tasks(), other.loop()).result() == 0);
}

TEST_CASE(
    "Future::cancel: of run_coroutine_threadsafe's, in a thread, is that of the task "
    "[derived.rcts_cancel_from_thread]") {
  RunningLoop other;
  std::latch started(1);
  std::atomic<bool> cancelled{false};
  const auto future = aio::run_coroutine_threadsafe(sleep_long(started, cancelled), other.loop());
  started.wait();
  CHECK(future.cancel());
  CHECK_THROWS_AS(future.result(), CancelledError);
  CHECK(future.cancelled());
  CHECK(cancelled);
  CHECK_FALSE(future.cancel());
}

Coroutine<> cancel_itself() {
  aio::current_task()->cancel();
  co_await aio::yield();
}

TEST_CASE(
    "run_coroutine_threadsafe: a task that cancels itself is cancelled for the thread, too "
    "[cpython test_tasks.RunCoroutineThreadsafe.test_task_cancelled]") {
  RunningLoop other;
  const auto future = aio::run_coroutine_threadsafe(cancel_itself(), other.loop());
  CHECK_THROWS_AS(future.result(), CancelledError);
  CHECK(future.cancelled());
}

TEST_CASE(
    "run_coroutine_threadsafe: who blocks learns that the loop has cancelled the task "
    "[derived.rcts_cancel_from_loop]") {
  RunningLoop other;
  std::latch started(1);
  std::atomic<bool> cancelled{false};
  const auto future = aio::run_coroutine_threadsafe(sleep_long(started, cancelled), other.loop());
  ProbedThread waiting([&] { CHECK_THROWS_AS(future.result(), CancelledError); });
  waiting.wait_until_asleep();
  other.loop().call_soon_threadsafe([future] { future.cancel(); });
  waiting.join();
  CHECK(future.cancelled());
}

Coroutine<int> sleep_then_42() {
  co_await aio::sleep(1ms);
  co_return 42;
}

TEST_CASE(
    "run_coroutine_threadsafe: ten threads of a loop post to it and block "
    "[cpython test_free_threading.test_run_coroutine_threadsafe]") {
  const auto main = []() -> Coroutine<std::vector<int>> {
    const auto call = [&loop = aio::get_running_loop()] {
      return aio::run_coroutine_threadsafe(sleep_then_42(), loop).result();
    };
    ThreadPoolExecutor pool(10);
    std::vector<Future<int>> all;
    for (int i = 0; i < 10; ++i) {
      all.push_back(aio::get_running_loop().run_in_executor(&pool, call));
    }
    co_return co_await aio::gather(std::move(all));
  };
  CHECK(aio::run(main()) == std::vector<int>(10, 42));
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
