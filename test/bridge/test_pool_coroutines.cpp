// Tests of coroutines that run on an executor.
#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <plait/bridge/run_coroutine_threadsafe.hpp>
#include <plait/core/as_completed.hpp>
#include <plait/core/cancelled_error.hpp>
#include <plait/core/errors.hpp>
#include <plait/core/promise.hpp>
#include <plait/core/wait.hpp>
#include <plait/executors/inline_executor.hpp>
#include <plait/executors/thread_pool_executor.hpp>
#include <plait/loop/gather.hpp>
#include <plait/loop/locks.hpp>
#include <plait/loop/run.hpp>
#include <plait/loop/sleep.hpp>

using namespace plait;
using namespace std::chrono_literals;

namespace {

constexpr auto limit = 60s;

Coroutine<int> twice(int value) { co_return 2 * value; }
Coroutine<int> four_times(int value) { co_return co_await twice(co_await twice(value)); }
Coroutine<int> failing() {
  throw std::out_of_range("no such thing");
  co_return 1;
}
Coroutine<int> plus_one(Future<int> future) { co_return co_await future + 1; }
Coroutine<std::unique_ptr<int>> boxed(std::unique_ptr<int> value) { co_return std::move(value); }
Coroutine<> nothing() { co_return; }

template <class Test>
void on_every_executor(Test test) {
  InlineExecutor inline_executor;
  test(static_cast<Executor&>(inline_executor));
  for (const std::size_t workers : {1, 2, 4}) {
    ThreadPoolExecutor pool(workers);
    test(static_cast<Executor&>(pool));
  }
}

TEST_SUITE_BEGIN("bridge/pool_coroutines");

TEST_CASE("submit: runs the coroutine that the call gives, and its future is the coroutine's") {
  on_every_executor([](Executor& executor) {
    static_assert(std::same_as<decltype(executor.submit(twice, 1)), Future<int>>);
    CHECK(executor.submit(four_times, 3).result(limit) == 12);
    CHECK(*executor.submit(boxed, std::make_unique<int>(5)).result(limit) == 5);
    executor.submit(nothing).result(limit);
    CHECK_THROWS_AS(executor.submit(failing).result(limit), std::out_of_range);
  });
}

TEST_CASE("submit: the captures of a lambda coroutine live as long as it") {
  on_every_executor([](Executor& executor) {
    Promise<> go;
    auto future = executor.submit(
        [text = std::string(40, 'x')](Future<> until) -> Coroutine<std::size_t> {
          co_await until;
          co_return text.size();
        },
        go.get_future());
    go.set_result();
    CHECK(future.result(limit) == 40);
  });
}

TEST_CASE("co_await: a future resumes the coroutine on its executor, with value or error") {
  on_every_executor([](Executor& executor) {
    Promise<int> value, error;
    auto good = executor.submit(plus_one, value.get_future());
    auto bad = executor.submit(plus_one, error.get_future());
    value.set_result(1);
    error.set_exception(std::make_exception_ptr(std::domain_error("no")));
    CHECK(good.result(limit) == 2);
    CHECK_THROWS_AS(bad.result(limit), std::domain_error);
  });
}

TEST_CASE("co_await: a coroutine on a pool goes on in a thread of the pool") {
  ThreadPoolExecutor pool(2);
  Promise<> promise;
  auto future = pool.submit(
      [](Future<> until, std::thread::id caller) -> Coroutine<bool> {
        const bool before = std::this_thread::get_id() != caller;
        co_await until;
        co_return before&& std::this_thread::get_id() != caller;
      },
      promise.get_future(), std::this_thread::get_id());
  promise.set_result();
  CHECK(future.result(limit));
}

TEST_CASE("co_await: its own result is refused") {
  ThreadPoolExecutor pool(2);
  Promise<Future<int>> itself;
  auto future = pool.submit(
      [](Future<Future<int>> own) -> Coroutine<int> {
        const Future<int> me = co_await own;
        co_return co_await me;
      },
      itself.get_future());
  itself.set_result(future);
  CHECK_THROWS_AS(future.result(limit), RuntimeError);
}

TEST_CASE("co_await: what waits on a loop is a clear error on an executor") {
  on_every_executor([](Executor& executor) {
    aio::Lock lock;
    CHECK_THROWS_AS(executor.submit([] { return aio::yield(); }).result(limit), RuntimeError);
    auto sleeper = executor.submit([]() -> Coroutine<> { co_await aio::sleep(1ms); });
    CHECK_THROWS_AS(sleeper.result(limit), RuntimeError);
    auto locker = executor.submit(
        [](aio::Lock& guarded) -> Coroutine<bool> { co_return co_await guarded.acquire(); },
        std::ref(lock));
    CHECK_THROWS_AS(locker.result(limit), RuntimeError);
    CHECK_FALSE(lock.locked());
  });
}

TEST_CASE("request_stop: a coroutine that waits gets CancelledError at its await") {
  ThreadPoolExecutor pool(2);
  Promise<> never, waits;
  std::atomic<bool> seen{false};
  auto future = pool.submit(
      [](Future<> until, Promise<> ready, std::atomic<bool>& cancelled) -> Coroutine<> {
        try {
          ready.set_result();
          co_await until;
        } catch (const CancelledError&) {
          cancelled = true;
          throw;
        }
      },
      never.get_future(), waits, std::ref(seen));
  waits.get_future().result(limit);
  CHECK_FALSE(future.cancel());  // it runs
  CHECK(future.request_stop());
  CHECK_THROWS_AS(future.result(limit), CancelledError);
  CHECK(future.cancelled());
  CHECK(seen);
  CHECK(never.get_future().cancelled());  // the request went through to what it awaited
}

TEST_CASE("request_stop: a coroutine that catches it goes on, and may wait again") {
  ThreadPoolExecutor pool(1);
  Promise<> never, waits;
  Promise<int> later;
  auto future = pool.submit(
      [](Future<> until, Promise<> ready, Future<int> value) -> Coroutine<int> {
        ready.set_result();
        try {
          co_await until;
        } catch (const CancelledError&) {
        }
        co_return co_await value;
      },
      never.get_future(), waits, later.get_future());
  waits.get_future().result(limit);
  CHECK(future.request_stop());
  later.set_result(7);
  CHECK(future.result(limit) == 7);
}

TEST_CASE("request_stop: reaches the stop token of the call, too") {
  ThreadPoolExecutor pool(1);
  Promise<> started;
  auto future = pool.submit(
      [](std::stop_token token, Promise<> ready) -> Coroutine<bool> {
        ready.set_result();
        while (!token.stop_requested()) std::this_thread::yield();
        co_return true;
      },
      started);
  started.get_future().result(limit);
  CHECK(future.request_stop());
  CHECK(future.result(limit));
}

TEST_CASE("cancel: a coroutine that has not started never does") {
  ThreadPoolExecutor pool(1);
  Promise<> gate;
  const auto busy = pool.submit([](Future<> until) { until.wait(); }, gate.get_future());
  auto future = pool.submit(twice, 1);
  CHECK(future.cancel());
  gate.set_result();
  busy.result(limit);
  CHECK(future.cancelled());
}

TEST_CASE("result: the only worker goes on with the coroutine that it waits for") {
  ThreadPoolExecutor pool(1);
  Promise<int> promise;
  Promise<> waits;
  auto outer = pool.submit([&] {
    auto inner = pool.submit(plus_one, promise.get_future());
    waits.set_result();
    return inner.result(limit);
  });
  waits.get_future().result(limit);
  promise.set_result(41);
  CHECK(outer.result(limit) == 42);
}

TEST_CASE("wait: the only worker goes on with the coroutines that it waits for") {
  ThreadPoolExecutor pool(1);
  Promise<int> first, second;
  Promise<> waits;
  auto outer = pool.submit([&] {
    const std::vector<Future<int>> inner{pool.submit(plus_one, first.get_future()),
                                         pool.submit(plus_one, second.get_future())};
    waits.set_result();
    int sum = 0;
    for (const auto& done : as_completed(inner)) sum += done.result();
    return sum + static_cast<int>(wait(inner).done.size());
  });
  waits.get_future().result(limit);
  second.set_result(10);
  first.set_result(20);
  CHECK(outer.result(limit) == 34);
}

TEST_CASE("shutdown: waits for the coroutines that have started, and they go on") {
  Promise<int> promise;
  Future<int> future;
  std::thread setter;
  {
    ThreadPoolExecutor pool(2);
    Promise<> waits;
    future = pool.submit(
        [](Future<int> value, Promise<> ready) -> Coroutine<int> {
          ready.set_result();
          co_return co_await value;
        },
        promise.get_future(), waits);
    waits.get_future().result(limit);
    pool.shutdown({.wait = false, .cancel_futures = true});
    CHECK_THROWS_AS(pool.submit(twice, 1), RuntimeError);
    setter = std::thread([&promise] { promise.set_result(3); });
  }
  CHECK(future.done());
  CHECK(future.result() == 3);
  setter.join();
}

Coroutine<int> chain(std::vector<Future<int>> futures) {
  int sum = 0;
  for (const auto& future : futures) sum += co_await future;
  co_return sum;
}

TEST_CASE("co_await: many coroutines that wait for many futures all get through") {
  on_every_executor([](Executor& executor) {
    constexpr int count = 200;
    std::vector<Promise<int>> promises(count);
    std::vector<Future<int>> inputs, sums;
    for (auto& promise : promises) inputs.push_back(promise.get_future());
    for (int i = 0; i < 20; ++i) sums.push_back(executor.submit(chain, inputs));
    for (int i = 0; i < count; ++i)
      promises[static_cast<std::size_t>((i * 37) % count)].set_result(1);
    for (const auto& sum : sums) CHECK(sum.result(limit) == count);
  });
}

TEST_CASE("submit: a loop's task awaits a coroutine on a pool, which awaits a task of the loop") {
  ThreadPoolExecutor pool(2);
  const auto there_and_back = [](Executor& executor) -> Coroutine<int> {
    const auto task = aio::create_task(twice(4));
    co_return co_await executor.submit(plus_one, Future<int>(task));
  };
  CHECK(aio::run(there_and_back(pool)) == 9);
}

Coroutine<std::thread::id> this_thread() { co_return std::this_thread::get_id(); }

Coroutine<bool> there_and_back(Executor& executor) {
  const auto here = std::this_thread::get_id();
  const auto there = co_await executor.submit(this_thread());
  co_return here == std::this_thread::get_id() && here != there;
}

TEST_CASE("submit: a coroutine that was made before is a hop to the executor and back") {
  ThreadPoolExecutor pool(2);
  CHECK(aio::run(there_and_back(pool)));
  CHECK(pool.submit({.name = "four"}, four_times(1)).result(limit) == 4);
  Coroutine<int> moved = twice(1);
  const Coroutine<int> other = std::move(moved);
  CHECK_THROWS_AS(pool.submit(std::move(moved)).result(limit), InvalidStateError);
}

Coroutine<int> gather_all(Future<int> ready) {
  auto [a, b, c] = co_await aio::gather(four_times(1), ready, twice(3));
  std::vector<Coroutine<int>> more;
  for (int i = 0; i < 50; ++i) more.push_back(twice(i));
  int sum = a + b + c;
  for (const int part : co_await aio::gather(std::move(more))) sum += part;
  co_return sum;
}

TEST_CASE("gather: in a coroutine on an executor its coroutines are jobs of that executor") {
  on_every_executor([](Executor& executor) {
    Promise<int> promise;
    auto sum = executor.submit(gather_all, promise.get_future());
    promise.set_result(90);
    CHECK(sum.result(limit) == 4 + 90 + 6 + 50 * 49);
  });
}

Coroutine<int> gather_failures(Promise<> release) {
  auto slow = [](Future<> until) -> Coroutine<int> {
    co_await until;
    co_return 5;
  };
  auto late = slow(release.get_future());
  bool caught = false;
  try {
    (void)co_await aio::gather(std::move(late), failing());
  } catch (const std::out_of_range&) {
    caught = true;  // before the other has ended
  }
  release.set_result();
  auto outcomes = co_await aio::gather(aio::return_exceptions, failing(), twice(4));
  co_return caught && !std::get<0>(outcomes).has_value() ? std::get<1>(outcomes).value() : 0;
}

TEST_CASE("gather: on an executor, too, the first failure ends it at once") {
  on_every_executor([](Executor& executor) {
    CHECK(executor.submit(gather_failures, Promise<>()).result(limit) == 8);
  });
}

TEST_CASE("gather: a stop request on an executor goes through to what it waits for") {
  ThreadPoolExecutor pool(2);
  Promise<int> never, never_either;
  Promise<> waits;
  auto future = pool.submit(
      [](Future<int> a, Future<int> b, Promise<> ready) -> Coroutine<int> {
        auto both = aio::gather(a, plus_one(b));
        ready.set_result();
        auto [x, y] = co_await std::move(both);
        co_return x + y;
      },
      never.get_future(), never_either.get_future(), waits);
  waits.get_future().result(limit);
  CHECK(future.request_stop());
  CHECK_THROWS_AS(future.result(limit), CancelledError);
  CHECK(never.get_future().cancelled());
}

TEST_CASE("gather: after shutdown() of its executor it is refused") {
  ThreadPoolExecutor pool(1);
  Promise<int> promise;
  Promise<> waits;
  auto future = pool.submit(
      [](Future<int> go, Promise<> ready) -> Coroutine<int> {
        ready.set_result();
        (void)co_await go;
        auto [value] = co_await aio::gather(twice(1));
        co_return value;
      },
      promise.get_future(), waits);
  waits.get_future().result(limit);
  pool.shutdown({.wait = false, .cancel_futures = false});
  promise.set_result(1);
  CHECK_THROWS_AS(future.result(limit), RuntimeError);
}

Coroutine<int> run_a_loop() {
  Promise<int> ready;
  ready.set_result(0);
  const int sum = aio::run(gather_all(ready.get_future()));
  auto [twofold] = co_await aio::gather(twice(sum));
  co_return twofold - sum;
}

TEST_CASE("gather: in a loop that a coroutine on a pool runs, its coroutines are tasks") {
  ThreadPoolExecutor pool(1);
  CHECK(pool.submit(run_a_loop).result(limit) == 4 + 6 + 50 * 49);
}

TEST_SUITE_END();

}  // namespace
