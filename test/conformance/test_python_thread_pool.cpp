// CPython's test_thread_pool: how many threads, which jobs, in which order.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <plait/futures.hpp>
#include <ranges>
#include <string>
#include <vector>

#include "../support/child_program.hpp"
#include "../support/gate.hpp"
#include "../support/process_probe.hpp"

namespace plait::test {
namespace {

TEST_SUITE_BEGIN("conformance/test_thread_pool");

TEST_CASE(
    "map: submits without being iterated [cpython "
    "test_thread_pool.test_map_submits_without_iteration]") {
  std::atomic<int> runs = 0;
  ThreadPoolExecutor pool(2);
  const auto results = pool.map([&](int) { ++runs; }, std::views::iota(0, 10));
  pool.shutdown();
  CHECK(runs == 10);
}

TEST_CASE(
    "max_workers: defaults to min(32, usable CPUs + 4) [cpython "
    "test_thread_pool.test_default_workers]") {
  const auto expected = std::min<std::size_t>(32, usable_cpus() + 4);
  CHECK(ThreadPoolExecutor().max_workers() == expected);
  CHECK(ThreadPoolExecutor(0).max_workers() == expected);
  CHECK(ThreadPoolExecutor(3).max_workers() == 3);
}

TEST_CASE("max_workers: follows the affinity mask") {
  const auto result = run_program("pool_scenarios", {"max_workers_on_one_cpu"});
  CHECK(result.out == "5\n");
  CHECK(result.exit_status == 0);
}

TEST_CASE(
    "submit: more jobs than workers start max_workers threads and no more [cpython "
    "test_thread_pool.test_saturation]") {
  const auto threads_before = thread_count();
  Gate gate;
  ThreadPoolExecutor pool(4);
  for (int i = 0; i < 60; ++i) pool.submit([&] { gate.pass(); });
  gate.wait_for_arrivals(4);
  CHECK(pool.num_threads() == 4);
  CHECK(thread_count() == threads_before + 4);
  CHECK(gate.arrived() == 4);
  gate.let_through(60);
  pool.shutdown();
  CHECK(gate.arrived() == 60);
}

TEST_CASE(
    "fork: a child made inside a job exits cleanly [cpython "
    "test_thread_pool.test_process_fork_from_a_threadpool]") {
  const auto result = run_program("pool_scenarios", {"fork_in_job"});
  CHECK(result.out == "child exited with 0\n");
  CHECK(result.err.empty());
  CHECK(result.exit_status == 0);
}

TEST_CASE(
    "cancel: refuses a running job and drops a queued one [cpython "
    "derived.cf_cancel_queued_job]") {
  Gate gate;
  std::atomic<bool> ran = false;
  ThreadPoolExecutor pool(1);
  const auto running = pool.submit([&] { gate.pass(); });
  const auto queued = pool.submit([&] { ran = true; });
  gate.wait_for_arrivals(1);
  CHECK_FALSE(running.cancel());
  CHECK(queued.cancel());
  gate.open();
  pool.shutdown();
  CHECK_FALSE(ran);
  CHECK_NOTHROW(running.result());
}

TEST_CASE("map: keeps input order whatever finishes first [derived.cf_map_order]") {
  Gate gates[3];
  ThreadPoolExecutor pool(3);
  auto results = pool.map(
      [&](std::size_t index) {
        gates[index].pass();
        if (index > 0) gates[index == 1 ? 2 : 0].open();
        return index;
      },
      std::vector<std::size_t>{0, 1, 2});
  gates[1].open();
  std::vector<std::size_t> order;
  for (const auto index : results) order.push_back(index);
  CHECK(order == std::vector<std::size_t>{0, 1, 2});
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
