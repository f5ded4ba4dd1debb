// SubmitOptions::priority: who goes first, and who is not forgotten.
#include <doctest/doctest.h>

#include <atomic>
#include <functional>
#include <limits>
#include <plait/futures.hpp>
#include <vector>

#include "../support/gate.hpp"
#include "../support/process_probe.hpp"

namespace plait::test {
namespace {

// One busy worker; the jobs that queue up behind it note their numbers.
struct Queue {
  Gate gate;
  std::vector<int> order{};
  ThreadPoolExecutor pool{1};

  Queue() {
    pool.submit([this] { gate.pass(); });
    gate.wait_for_arrivals(1);
  }
  Future<void> add(int number, int priority) {
    return pool.submit({.priority = priority}, [this, number] { order.push_back(number); });
  }
  const std::vector<int>& run() {
    gate.open();
    pool.shutdown();
    return order;
  }
};

TEST_SUITE_BEGIN("executors/priorities");

TEST_CASE("priority: the higher starts first, and within one the first submitted") {
  Queue queue;
  const int priorities[] = {0, 5, -3, 5, 0, 100, -3, 1};
  for (int number = 0; number < 8; ++number) queue.add(number, priorities[number]);
  CHECK(queue.run() == std::vector{5, 1, 3, 7, 0, 4, 2, 6});
}

TEST_CASE("priority: a submit without one counts as 0") {
  Queue queue;
  queue.add(1, -1);
  queue.pool.submit([&] { queue.order.push_back(2); });
  queue.add(3, 1);
  CHECK(queue.run() == std::vector{3, 2, 1});
}

TEST_CASE("priority: the ends of int are priorities like others") {
  Queue queue;
  queue.add(1, std::numeric_limits<int>::min());
  queue.add(2, 0);
  queue.add(3, std::numeric_limits<int>::max());
  CHECK(queue.run() == std::vector{3, 2, 1});
}

TEST_CASE("priority: a cancelled job is skipped and frees its place") {
  Queue queue;
  const auto high = queue.add(1, 9);
  queue.add(2, 5);
  CHECK(queue.pool.queue_size() == 2);
  CHECK(high.cancel());
  CHECK(queue.pool.queue_size() == 1);
  CHECK(queue.run() == std::vector{2});
}

TEST_CASE("priority: a job submitted by a worker obeys it too") {
  std::vector<int> order;
  ThreadPoolExecutor pool(1);
  const auto outer = pool.submit([&] {
    const auto note = [&](int number) { order.push_back(number); };
    pool.submit({.priority = -1}, note, 1);
    pool.submit({.priority = 1}, note, 2);
    pool.submit({.priority = 7}, note, 3);
  });
  outer.result();
  pool.shutdown();
  CHECK(order == std::vector{3, 2, 1});
}

TEST_CASE("priority: a waiter takes its job whatever stands before it") {
  std::vector<int> order;
  ThreadPoolExecutor pool(1);
  pool.submit([&] {
        pool.submit({.priority = 9}, [&] { order.push_back(1); });
        pool.submit({.priority = -9}, [&] { order.push_back(2); }).result();
      })
      .result();
  pool.shutdown();
  CHECK(order == std::vector{2, 1});
}

TEST_CASE("priority: a low job starts although high ones never run out") {
  std::atomic<bool> low_ran = false;
  std::atomic<int> high_runs = 0;
  ThreadPoolExecutor pool(1);
  std::function<void()> high = [&] {
    ++high_runs;
    if (!low_ran && high_runs < 100'000) pool.submit({.priority = 10}, std::ref(high));
  };
  Gate gate;
  pool.submit([&] { gate.pass(); });
  for (int i = 0; i < 4; ++i) pool.submit({.priority = 10}, std::ref(high));
  const auto low = pool.submit({.priority = -10}, [&] { low_ran = true; });
  gate.open();
  low.result();
  CHECK(high_runs < 100'000);
  pool.shutdown();  // the jobs refer to one another by `high`
}

TEST_CASE("priority: a worker's own jobs do not keep an outsider's job waiting for ever") {
  std::atomic<bool> outsider_ran = false;
  std::atomic<int> own_runs = 0;
  Gate gate;
  ThreadPoolExecutor pool(1);
  std::function<void()> own = [&] {
    if (own_runs == 0) gate.pass();
    ++own_runs;
    if (!outsider_ran && own_runs < 100'000) pool.submit(std::ref(own));
  };
  pool.submit(std::ref(own));
  gate.wait_for_arrivals(1);
  const auto outsider = pool.submit([&] { outsider_ran = true; });
  gate.open();
  outsider.result();
  CHECK(own_runs < 100'000);
  pool.shutdown();  // the jobs refer to one another by `own`
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
