// Waiting inside a worker: it runs exactly what it waits for, nothing else, and otherwise sleeps.
#include <doctest/doctest.h>

#include <pthread.h>

#include <atomic>
#include <functional>
#include <plait/futures.hpp>
#include <ranges>
#include <thread>
#include <vector>

#include "../support/gate.hpp"
#include "../support/log_capture.hpp"
#include "../support/prepared_futures.hpp"
#include "../support/process_probe.hpp"

namespace plait::test {
namespace {

int fib(ThreadPoolExecutor& pool, int n) {
  if (n < 2) return n;
  const auto left = pool.submit(fib, std::ref(pool), n - 1);
  const auto right = pool.submit(fib, std::ref(pool), n - 2);
  return left.result() + right.result();
}

TEST_SUITE_BEGIN("executors/helping");

TEST_CASE("result: recursive jobs finish on any number of workers, even one") {
  for (const std::size_t workers : {1, 2, 5}) {
    ThreadPoolExecutor pool(workers);
    CHECK(pool.submit(fib, std::ref(pool), workers == 1 ? 25 : 18).result() ==
          (workers == 1 ? 75025 : 2584));
    CHECK(pool.num_threads() <= workers);
  }
}

TEST_CASE("result: a waiting worker runs the pending job itself") {
  ThreadPoolExecutor pool(1);
  const auto outer = pool.submit([&] {
    const auto inner = pool.submit([] { return std::this_thread::get_id(); });
    return inner.result() == std::this_thread::get_id();
  });
  CHECK(outer.result());
}

TEST_CASE("wait, as_completed, map, exception, take, wait_for: each helps in a worker") {
  ThreadPoolExecutor pool(1);
  const auto one = [] { return 1; };
  const std::function<int()> waits[] = {
      [&] { return pool.submit(one).take(); },
      [&] { return pool.submit(one).exception() == nullptr ? 1 : 0; },
      [&] { return pool.submit(one).wait_for(1h) ? 1 : 0; },
      [&] { return pool.submit(one).result(1h); },
      [&] { return static_cast<int>(wait(std::vector{pool.submit(one)}).done.size()); },
      [&] {
        int sum = 0;
        for (const auto& done : as_completed(std::vector{pool.submit(one)})) sum += done.result();
        return sum;
      },
      [&] {
        int sum = 0;
        for (const int value : pool.map([](int number) { return number; }, std::vector{0, 1})) {
          sum += value;
        }
        return sum;
      },
  };
  for (const auto& body : waits) CHECK(pool.submit(body).result() == 1);
}

TEST_CASE("result: an unrelated job never runs on top of a waiting one") {
  static thread_local int waiting = 0;
  std::atomic<int> intrusions = 0;
  Gate gate;
  ThreadPoolExecutor pool(2);
  const auto slow = pool.submit([&] { gate.pass(); });
  gate.wait_for_arrivals(1);
  const auto waiter = pool.submit([&] {
    ++waiting;
    slow.result();
    --waiting;
  });
  std::vector<Future<void>> unrelated;
  for (int i = 0; i < 20; ++i) {
    unrelated.push_back(pool.submit([&] { intrusions += waiting; }));
  }
  CHECK_FALSE(unrelated.front().wait_for(30ms));
  gate.open();
  wait(unrelated);
  waiter.result();
  CHECK(intrusions == 0);
}

TEST_CASE("wait: FIRST_COMPLETED in a worker runs one member at most and leaves the rest") {
  Gate gate;
  ThreadPoolExecutor pool(1);
  std::atomic<int> runs = 0;
  const auto outer = pool.submit([&] {
    std::vector<Future<void>> members;
    for (int i = 0; i < 3; ++i) members.push_back(pool.submit([&] { ++runs; }));
    pool.submit([&] { runs += 100; });
    const auto [done, not_done] = wait(members, {.return_when = FIRST_COMPLETED});
    CHECK(done.size() == 1);
    CHECK(not_done.size() == 2);
    return runs.load();
  });
  CHECK(outer.result() == 1);
}

TEST_CASE("result: in a worker of another pool blocks, and the job runs in its own pool") {
  ThreadPoolExecutor first(1), second(1);
  const auto ran_in = first.submit([&] {
    const auto inner = second.submit([] { return std::this_thread::get_id(); });
    CHECK(inner.result() != std::this_thread::get_id());
    return inner.result();
  });
  CHECK(second.submit([] { return std::this_thread::get_id(); }).result() == ran_in.result());
}

TEST_CASE("result: with a timeout of 0 does not help") {
  ThreadPoolExecutor pool(1);
  const auto outer = pool.submit([&] {
    const auto inner = pool.submit([] { return 1; });
    CHECK_THROWS_AS(inner.result(0s), TimeoutError);
    CHECK_THROWS_AS(inner.result(-1s), TimeoutError);
    return inner.done();
  });
  CHECK_FALSE(outer.result());
}

TEST_CASE("result: a helped job's error and cancellation reach the waiter") {
  ThreadPoolExecutor pool(1);
  const auto outer = pool.submit([&] {
    const auto failing = pool.submit([]() -> int { throw TestError("inner"); });
    CHECK_THROWS_AS(failing.result(), TestError);
    const auto cancelled = pool.submit([] { return 1; });
    CHECK(cancelled.cancel());
    CHECK_THROWS_AS(cancelled.result(), CancelledError);
    const auto stopping = pool.submit([]() -> int { throw CancelledError(); });
    CHECK_THROWS_AS(stopping.result(), CancelledError);
  });
  CHECK_NOTHROW(outer.result());
}

TEST_CASE("result: a chain of a thousand queued jobs, each waiting for the next, finishes") {
  constexpr std::size_t length = 1000;
  Gate gate;
  ThreadPoolExecutor pool(1);
  const auto blocker = pool.submit([&] { gate.pass(); });
  std::vector<Future<int>> chain(length);
  for (std::size_t i = 0; i < length; ++i) {
    chain[i] = pool.submit([&, i] { return i + 1 < length ? chain[i + 1].result() + 1 : 1; });
  }
  gate.open();
  CHECK(chain.front().result() == length);
}

TEST_CASE("result: a job that was helped leaves the queue at once") {
  ThreadPoolExecutor pool(1);
  const auto outer = pool.submit([&] {
    std::vector<Future<void>> jobs;
    for (int i = 0; i < 10; ++i) jobs.push_back(pool.submit([] {}));
    for (const auto& job : jobs) job.result();
    return pool.queue_size();
  });
  CHECK(outer.result() == 0);
}

TEST_CASE("result: a blocked worker uses no CPU time") {
  Gate gate;
  ThreadPoolExecutor pool(2);
  const auto running = pool.submit([&] { gate.pass(); });
  gate.wait_for_arrivals(1);
  Promise<pthread_t> thread;
  const auto waiter = pool.submit([&thread, running] {
    thread.set_result(::pthread_self());
    running.result();
  });
  const auto worker = thread.get_future().result();
  CHECK_FALSE(waiter.wait_for(20ms));
  const auto before = thread_cpu_time(worker);
  const auto own_before = thread_cpu_time();
  CHECK_FALSE(waiter.wait_for(200ms));
  CHECK(thread_cpu_time(worker) - before < 2ms);
  CHECK(thread_cpu_time() - own_before < 5ms);
  gate.open();
}

TEST_CASE("result: helpers and workers never run one job twice") {
  std::atomic<int> runs = 0;
  ThreadPoolExecutor pool(4);
  std::vector<Future<void>> outers;
  for (int i = 0; i < 50; ++i) {
    outers.push_back(pool.submit([&] {
      std::vector<Future<void>> inners;
      for (int k = 0; k < 50; ++k) inners.push_back(pool.submit([&] { ++runs; }));
      for (const auto& inner : inners | std::views::reverse) inner.result();
    }));
  }
  for (const auto& outer : outers) outer.result();
  CHECK(runs == 2500);
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
