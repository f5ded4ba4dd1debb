// shutdown() and the destructor, in every state and from every place.
#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <plait/futures.hpp>
#include <ranges>
#include <vector>

#include "../support/gate.hpp"
#include "../support/lifetime_tracked.hpp"
#include "../support/log_capture.hpp"
#include "../support/prepared_futures.hpp"
#include "../support/process_probe.hpp"

namespace plait::test {
namespace {

TEST_SUITE_BEGIN("executors/shutdown");

TEST_CASE("shutdown: of a pool that was never used returns at once") {
  for (const bool wait : {true, false}) {
    ThreadPoolExecutor pool(2);
    pool.shutdown({.wait = wait});
    CHECK_THROWS_AS(pool.submit([] {}), RuntimeError);
    CHECK(pool.num_threads() == 0);
  }
}

TEST_CASE("shutdown: called by a job closes the pool and lets the job and the queue end") {
  for (const bool wait : {true, false}) {
    ThreadPoolExecutor pool(2);
    const auto closing = pool.submit([&] {
      pool.submit([] {});
      pool.shutdown({.wait = wait});
      CHECK_THROWS_AS(pool.submit([] {}), RuntimeError);
      return 1;
    });
    CHECK(closing.result() == 1);
  }
}

TEST_CASE("shutdown: called by a job that then waits for a queued one still lets it help") {
  ThreadPoolExecutor pool(1);
  const auto outer = pool.submit([&] {
    const auto inner = pool.submit([] { return 4; });
    pool.shutdown();
    return inner.result();
  });
  CHECK(outer.result() == 4);
}

TEST_CASE("shutdown: called by a done-callback works in a worker and in the canceller") {
  for (const bool cancelled : {false, true}) {
    Gate gate;
    ThreadPoolExecutor pool(1);
    const auto running = pool.submit([&] { gate.pass(); });
    const auto queued = pool.submit([] {});
    gate.wait_for_arrivals(1);
    const auto& future = cancelled ? queued : running;
    future.add_done_callback([&](const auto&) { pool.shutdown({.wait = !cancelled}); });
    if (cancelled) CHECK(queued.cancel());
    gate.open();
    running.result();
    CHECK(eventually([&] {
      try {
        pool.submit([] {});
        return false;
      } catch (const RuntimeError&) {
        return true;
      }
    }));
  }
}

TEST_CASE("shutdown: cancel_futures frees the callables, runs callbacks and wakes waiters") {
  LifetimeCounts counts;
  std::atomic<int> callbacks = 0;
  Gate gate;
  ThreadPoolExecutor pool(1);
  pool.submit([&] { gate.pass(); });
  gate.wait_for_arrivals(1);
  std::vector<Future<void>> futures;
  for (int i = 0; i < 10; ++i) {
    futures.push_back(pool.submit([held = LifetimeTracked(counts)] {}));
    futures.back().add_done_callback([&](const auto& done) { callbacks += done.cancelled(); });
  }
  ProbedThread waiter([&] { CHECK_THROWS_AS(futures.back().result(), CancelledError); });
  waiter.wait_until_asleep();
  pool.shutdown({.wait = false, .cancel_futures = true});
  CHECK(callbacks == 10);
  CHECK(counts.live == 0);
  for (const auto& future : futures) CHECK(future.cancelled());
  gate.open();
}

TEST_CASE("shutdown: cancel_futures after a first shutdown still cancels what waits") {
  Gate gate;
  ThreadPoolExecutor pool(1);
  const auto running = pool.submit([&] { gate.pass(); });
  const auto queued = pool.submit([] {});
  gate.wait_for_arrivals(1);
  pool.shutdown({.wait = false});
  CHECK_FALSE(queued.done());
  pool.shutdown({.wait = false, .cancel_futures = true});
  CHECK(queued.cancelled());
  gate.open();
  CHECK_NOTHROW(running.result());
}

TEST_CASE("shutdown: cancel_futures reaches jobs that workers have submitted") {
  Gate gate;
  ThreadPoolExecutor pool(2);
  Promise<Future<void>> nested;
  const auto outer = pool.submit([&] {
    nested.set_result(pool.submit([] {}));
    gate.pass();
  });
  const auto blocked = pool.submit([&] { gate.pass(); });
  const auto inner = nested.get_future().result();
  gate.wait_for_arrivals(2);
  pool.shutdown({.wait = false, .cancel_futures = true});
  CHECK(inner.done());
  gate.open();
  outer.wait();
  CHECK(blocked.wait_for(10s));
}

TEST_CASE("~ThreadPoolExecutor: under load runs all that was accepted") {
  std::atomic<int> runs = 0;
  std::vector<Future<void>> futures;
  for (int round = 0; round < 20; ++round) {
    ThreadPoolExecutor pool(3);
    for (int i = 0; i < 100; ++i) futures.push_back(pool.submit([&] { ++runs; }));
  }
  CHECK(runs == 2000);
  for (const auto& future : futures) CHECK(future.done());
}

TEST_CASE("~ThreadPoolExecutor: under load runs what running jobs have submitted before") {
  std::atomic<int> runs = 0;
  {
    ThreadPoolExecutor pool(2);
    for (int i = 0; i < 50; ++i) {
      pool.submit([&] {
        try {
          pool.submit([&] { ++runs; });
        } catch (const RuntimeError&) {
          ++runs;
        }
      });
    }
  }
  CHECK(runs == 50);
}

TEST_CASE("~ThreadPoolExecutor: in one of its own jobs does not wait for itself") {
  auto pool = std::make_unique<ThreadPoolExecutor>(2);
  Gate gate;
  const auto last = pool->submit([&] {
    gate.pass();
    pool.reset();
    return 5;
  });
  const auto queued = pool->submit([] { return 6; });
  gate.open();
  CHECK(last.result() == 5);
  CHECK(queued.result() == 6);
}

TEST_CASE("~ThreadPoolExecutor: futures outlive the pool") {
  std::optional<Future<int>> future;
  Future<int> failed;
  {
    ThreadPoolExecutor pool(1);
    future = pool.submit([] { return 3; });
    failed = pool.submit([]() -> int { throw TestError("kept"); });
  }
  CHECK(future->result() == 3);
  CHECK_FALSE(future->cancel());
  CHECK_FALSE(future->request_stop());
  CHECK_THROWS_AS(failed.result(), TestError);
}

TEST_CASE("shutdown: results of a map can be read after the pool has gone") {
  std::optional<MapResults<int>> results;
  {
    ThreadPoolExecutor pool(1);
    results = pool.map([](int number) { return number; }, std::views::iota(0, 3));
  }
  int expected = 0;
  for (const int value : *results) CHECK(value == expected++);
  CHECK(expected == 3);
}

TEST_CASE("shutdown: a bounded map that still has inputs says so when it is read on") {
  const std::vector<int> inputs{0, 1, 2, 3};
  ThreadPoolExecutor pool(1);
  auto results = pool.map({.buffersize = 1}, [](int number) { return number; }, inputs);
  auto position = results.begin();
  CHECK(*position == 0);
  pool.shutdown();
  ++position;
  CHECK(holds(text_of<RuntimeError>([&] { static_cast<void>(*position); }), "shutdown"));
  CHECK(++position == results.end());
}

TEST_CASE("shutdown: many threads shut down and submit at once; each job runs or is refused") {
  for (int round = 0; round < 100; ++round) {
    std::atomic<int> runs = 0, refused = 0, accepted = 0;
    ThreadPoolExecutor pool(2);
    const auto submit_all = [&] {
      for (int i = 0; i < 30; ++i) {
        try {
          pool.submit([&] { ++runs; });
          ++accepted;
        } catch (const RuntimeError&) {
          ++refused;
        }
      }
    };
    const auto shut_down = [&] {
      while (accepted < 5) std::this_thread::yield();
      pool.shutdown();
    };
    {
      ProbedThread first(submit_all), second(submit_all), third(shut_down), fourth(shut_down);
    }
    CHECK(accepted + refused == 60);
    CHECK(runs == accepted);
  }
}

TEST_CASE("shutdown: waits for a job that waits for a promise of the outside") {
  Promise<int> promise;
  ThreadPoolExecutor pool(1);
  const auto future = promise.get_future();
  const auto job = pool.submit([&] { return future.result(); });
  ProbedThread closer([&] { pool.shutdown(); });
  closer.wait_until_asleep();
  promise.set_result(2);
  closer.join();
  CHECK(job.result(0s) == 2);
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
