// Tests of what an executor does for coroutines that wait: room, threads, and its own life.
#include <doctest/doctest.h>

#include <thread>
#include <utility>

#include <plait/core/promise.hpp>
#include <plait/executors/inline_executor.hpp>
#include <plait/executors/thread_pool_executor.hpp>

using namespace plait;
using namespace std::chrono_literals;

namespace {

constexpr auto limit = 60s;

Coroutine<int> plus_one(Future<int> future) { co_return co_await future + 1; }
Coroutine<> nothing() { co_return; }

TEST_SUITE_BEGIN("bridge/coroutine_host");

TEST_CASE("submit: a coroutine that goes on takes no room in a bounded queue") {
  ThreadPoolExecutor pool({.max_workers = 1, .max_queue = 1});
  Promise<int> promise;
  auto waits = pool.submit(plus_one, promise.get_future());
  pool.submit(nothing).result(limit);
  promise.set_result(1);
  CHECK(waits.result(limit) == 2);
  Promise<> submitted;
  std::thread submitter([&] {
    pool.submit(nothing).result(limit);
    submitted.set_result();
  });
  const bool has_room = submitted.get_future().wait_for(limit);
  if (!has_room) pool.shutdown({.wait = false});
  submitter.join();
  CHECK(has_room);
}

TEST_CASE("submit: a coroutine outlives the InlineExecutor that runs it") {
  Promise<int> promise, never;
  Future<int> goes_on, stopped;
  {
    InlineExecutor executor;
    goes_on = executor.submit(plus_one, promise.get_future());
    stopped = executor.submit(plus_one, never.get_future());
  }
  stopped.request_stop();
  promise.set_result(1);
  CHECK(stopped.cancelled());
  CHECK(goes_on.result() == 2);
}

TEST_CASE("co_await: a pool that may have more threads starts one for what goes on") {
  ThreadPoolExecutor pool(2);
  Promise<int> promise, passed_on;
  auto coroutine = pool.submit(
      [](Future<int> value, Promise<int> next) -> Coroutine<> { next.set_result(co_await value); },
      promise.get_future(), passed_on);
  pool.submit(nothing).result(limit);
  Promise<> runs;
  auto blocks = pool.submit([&] {
    runs.set_result();
    return passed_on.get_future().result(limit);
  });
  runs.get_future().result(limit);
  promise.set_result(3);
  CHECK(blocks.result(limit) == 3);
}

TEST_SUITE_END();

}  // namespace
