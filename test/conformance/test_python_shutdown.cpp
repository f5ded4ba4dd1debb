// CPython's test_shutdown, thread side: nothing accepted is lost, nothing hangs, no thread stays.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <plait/futures.hpp>
#include <ranges>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "../support/child_program.hpp"
#include "../support/gate.hpp"
#include "../support/process_probe.hpp"

namespace plait::test {
namespace {

// Names of the workers of a pool, all of them kept busy at once.
std::set<std::string> worker_names(ThreadPoolExecutor& pool) {
  Gate gate;
  const auto workers = static_cast<int>(pool.max_workers());
  std::vector<Future<std::string>> futures;
  for (int i = 0; i < workers; ++i) {
    futures.push_back(pool.submit([&] {
      gate.pass();
      return this_thread_name();
    }));
  }
  gate.wait_for_arrivals(workers);
  gate.open();
  std::set<std::string> names;
  for (const auto& future : futures) names.insert(future.result());
  return names;
}

void check_clean_exit(const std::string& scenario, const std::string& expected_output) {
  CAPTURE(scenario);
  const auto result = run_program("pool_scenarios", {scenario});
  CHECK(result.out == expected_output);
  CHECK(result.err.empty());
  CHECK(result.exit_status == 0);
}

TEST_SUITE_BEGIN("conformance/test_shutdown");

TEST_CASE(
    "exit: main's return waits for a job of a pool nobody shut down [cpython "
    "test_shutdown.test_interpreter_shutdown]") {
  check_clean_exit("return_while_job_runs", "apple\n");
}

TEST_CASE(
    "shutdown: returns after every queued job has run [cpython "
    "test_shutdown.test_hang_issue12364]") {
  ThreadPoolExecutor pool(5);
  std::vector<Future<int>> futures;
  for (int i = 0; i < 50; ++i) futures.push_back(pool.submit([i] { return i; }));
  pool.shutdown();
  for (int i = 0; i < 50; ++i) CHECK(futures[static_cast<std::size_t>(i)].result(0s) == i);
}

TEST_CASE(
    "shutdown: cancel_futures cancels what has not started [cpython "
    "test_shutdown.test_cancel_futures]") {
  Gate gate;
  ThreadPoolExecutor pool(5);
  std::vector<Future<void>> futures;
  for (int i = 0; i < 50; ++i) futures.push_back(pool.submit([&] { gate.pass(); }));
  gate.wait_for_arrivals(5);
  ProbedThread opener([&] {
    eventually([&] { return futures.back().cancelled(); });
    gate.open();
  });
  pool.shutdown({.wait = true, .cancel_futures = true});
  const auto cancelled = std::ranges::count_if(futures, &Future<void>::cancelled);
  CHECK(cancelled == 45);
  for (const auto& future : futures) {
    CHECK(future.done());
    if (!future.cancelled()) CHECK(future.exception() == nullptr);
  }
}

TEST_CASE(
    "exit: a job outlives shutdown without waiting and main's return [cpython "
    "test_shutdown.test_hang_gh83386]") {
  check_clean_exit("return_after_shutdown_no_wait", "apple\n");
}

TEST_CASE(
    "shutdown: every worker has ended when it returns [cpython "
    "test_shutdown.ThreadPool.test_threads_terminate]") {
  const auto threads_before = thread_count();
  Gate gate;
  ThreadPoolExecutor pool(8);
  for (int i = 0; i < 3; ++i) pool.submit([&] { gate.pass(); });
  gate.wait_for_arrivals(3);
  CHECK(thread_count() == threads_before + 3);
  gate.let_through(3);
  pool.shutdown();
  CHECK(pool.num_threads() == 0);
  CHECK(eventually([&] { return thread_count() == threads_before; }));
}

TEST_CASE(
    "ThreadPoolExecutor: leaving its scope ends all workers [cpython "
    "test_shutdown.test_context_manager_shutdown]") {
  const auto threads_before = thread_count();
  {
    ThreadPoolExecutor pool(5);
    std::vector<int> values;
    for (const int value :
         pool.map([](int number) { return std::abs(number); }, std::views::iota(-5, 5))) {
      values.push_back(value);
    }
    CHECK(values == std::vector{5, 4, 3, 2, 1, 0, 1, 2, 3, 4});
  }
  CHECK(eventually([&] { return thread_count() == threads_before; }));
}

TEST_CASE(
    "shutdown: without waiting it returns at once and all results still come [cpython "
    "test_shutdown.test_shutdown_no_wait]") {
  const auto threads_before = thread_count();
  Gate gate;
  ThreadPoolExecutor pool(5);
  auto results = pool.map(
      [&](int number) {
        gate.pass();
        return std::abs(number);
      },
      std::views::iota(-5, 5));
  pool.shutdown({.wait = false});
  CHECK_THROWS_AS(pool.submit([] {}), RuntimeError);
  gate.open();
  std::vector<int> values;
  for (const int value : results) values.push_back(value);
  CHECK(values == std::vector{5, 4, 3, 2, 1, 0, 1, 2, 3, 4});
  CHECK(eventually([&] { return thread_count() == threads_before; }));
}

TEST_CASE(
    "thread_name_prefix: names the workers in order, and defaults to one a pool [cpython "
    "test_shutdown.ThreadPool.test_thread_names_assigned]") {
  ThreadPoolExecutor special({.max_workers = 5, .thread_name_prefix = "SpecialPool"});
  CHECK(worker_names(special) == std::set<std::string>{"SpecialPool_0", "SpecialPool_1",
                                                       "SpecialPool_2", "SpecialPool_3",
                                                       "SpecialPool_4"});
  ThreadPoolExecutor first(2), second(2);
  auto names = worker_names(first);
  names.merge(worker_names(second));
  CHECK(names.size() == 4);
}

TEST_CASE(
    "exit: shutdown with cancel_futures and no waiting leaves cleanly [cpython "
    "test_shutdown.test_cancel_futures_wait_false]") {
  const auto result = run_program("pool_scenarios", {"return_after_cancel_no_wait"});
  CHECK((result.out == "begin end\n" || result.out.empty()));
  CHECK(result.err.empty());
  CHECK(result.exit_status == 0);
}

TEST_CASE(
    "shutdown: three callers all wait for the running job [cpython "
    "derived.cf_shutdown_concurrent]") {
  Gate gate;
  std::atomic<bool> job_done = false;
  ThreadPoolExecutor pool(1);
  pool.submit([&] {
    gate.pass();
    job_done = true;
  });
  const auto shut_down = [&] {
    pool.shutdown();
    CHECK(job_done);
  };
  ProbedThread first(shut_down), second(shut_down), third(shut_down);
  for (const auto* caller : {&first, &second, &third}) caller->wait_until_asleep();
  CHECK_FALSE(job_done);
  gate.open();
}

TEST_CASE(
    "shutdown: without waiting, queued jobs still run in order [cpython "
    "derived.cf_shutdown_no_wait_queued]") {
  Gate gate;
  std::vector<int> order;
  ThreadPoolExecutor pool(1);
  std::vector<Future<void>> futures;
  for (int i = 0; i < 6; ++i) {
    futures.push_back(pool.submit([&, i] {
      gate.pass();
      order.push_back(i);
    }));
  }
  pool.shutdown({.wait = false});
  gate.open();
  for (const auto& future : futures) future.result();
  CHECK(order == std::vector{0, 1, 2, 3, 4, 5});
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
