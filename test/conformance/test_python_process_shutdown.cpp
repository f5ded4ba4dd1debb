// CPython's test_shutdown, process side: nothing accepted is lost, nothing hangs, no process stays.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <plait/futures.hpp>
#include <ranges>
#include <string>
#include <vector>

#include "../support/nothing_left.hpp"
#include "../support/process_gate.hpp"
#include "../support/process_probe.hpp"
#include "../support/scenario.hpp"

namespace plait::test {
namespace {

constexpr auto limit = 20s;

int echo(int number) { return number; }
int magnitude(int number) { return std::abs(number); }
int magnitude_behind_gate(const std::string& gate, int number) {
  wait_at(gate);
  return std::abs(number);
}

template <class Results>
std::vector<int> collect(Results&& results) {
  std::vector<int> values;
  for (const int value : results) values.push_back(value);
  return values;
}

const std::vector magnitudes{5, 4, 3, 2, 1, 0, 1, 2, 3, 4};

TEST_SUITE_BEGIN("conformance/process_shutdown");

// ---------------------------------------------------------------- exit

TEST_CASE_FIXTURE(NothingLeft,
                  "exit: main's return waits for the jobs of a pool nobody shut down [cpython "
                  "test_shutdown.test_interpreter_shutdown]") {
  check_scenario("process_scenarios", {"return_while_job_runs", "apple\n", 0});
  check_scenario("process_scenarios", {"return_while_jobs_are_queued", "apple\napple\napple\n", 0});
  check_scenario("process_scenarios", {"return_with_idle_workers", "7\n", 0});
  check_scenario("process_scenarios", {"static_pool_is_destroyed", "apple\napple\napple\n", 0});
  check_scenario("process_scenarios", {"exit_with_pool_on_the_stack", "apple\n", 4});
}

TEST_CASE_FIXTURE(NothingLeft,
                  "exit: a job outlives shutdown without waiting and main's return [cpython "
                  "test_shutdown.test_hang_gh83386]") {
  check_scenario("process_scenarios", {"return_after_shutdown_no_wait", "apple\n", 0});
}

TEST_CASE_FIXTURE(NothingLeft,
                  "exit: shutdown with cancel_futures and no waiting leaves cleanly [cpython "
                  "test_shutdown.test_cancel_futures_wait_false]") {
  const auto result = run_program("process_scenarios", {"return_after_cancel_no_wait"});
  CHECK((result.out == "begin end\n" || result.out.empty()));
  CHECK(result.err.empty());
  CHECK(result.exit_status == 0);
}

TEST_CASE_FIXTURE(NothingLeft, "exit: of a job ends its worker and not the program") {
  check_scenario("process_scenarios", {"exit_in_job", "status 3\n", 0});
}

// ---------------------------------------------------------------- shutdown

TEST_CASE_FIXTURE(NothingLeft,
                  "shutdown: returns after every queued job has run [cpython "
                  "test_shutdown.test_hang_issue12364]") {
  ProcessPoolExecutor pool(5);
  std::vector<Future<int>> futures;
  for (int i = 0; i < 50; ++i) futures.push_back(pool.submit(echo, i));
  pool.shutdown();
  for (int i = 0; i < 50; ++i) CHECK(futures[static_cast<std::size_t>(i)].result(0s) == i);
}

TEST_CASE_FIXTURE(NothingLeft,
                  "shutdown: cancel_futures cancels what has not started [cpython "
                  "test_shutdown.test_cancel_futures]") {
  ProcessPoolExecutor pool(5);
  ProcessGate gate;
  std::vector<Future<int>> futures;
  for (int i = 0; i < 50; ++i) futures.push_back(pool.submit(pass_gate, gate.folder(), 0));
  gate.wait_for_arrivals(5);
  ProbedThread opener([&] {
    CHECK(eventually([&] { return futures.back().cancelled(); }));
    gate.let_through(5);
  });
  pool.shutdown({.wait = true, .cancel_futures = true});
  CHECK(std::ranges::count_if(futures, &Future<int>::cancelled) == 45);
  for (const auto& future : futures) {
    CHECK(future.done());
    if (!future.cancelled()) CHECK(future.exception() == nullptr);
  }
  CHECK(gate.arrived().size() == 5);
}

TEST_CASE_FIXTURE(NothingLeft,
                  "shutdown: every process was started on demand and is reaped when it returns "
                  "[cpython test_shutdown.ProcessPool.test_processes_terminate]") {
  ProcessPoolExecutor pool(8);
  ProcessGate gate;
  for (int i = 0; i < 3; ++i) pool.submit(pass_gate, gate.folder(), 0);
  gate.wait_for_arrivals(3);
  const auto pids = pool.worker_pids();
  CHECK(pids.size() == 3);
  gate.let_through(3);
  pool.shutdown();
  CHECK(std::ranges::all_of(pids, is_gone));
  CHECK_FALSE(has_children());
  CHECK(pool.worker_pids().empty());
}

TEST_CASE_FIXTURE(NothingLeft,
                  "ProcessPoolExecutor: leaving its scope ends all workers [cpython "
                  "test_shutdown.test_context_manager_shutdown]") {
  std::vector<int> pids;
  {
    ProcessPoolExecutor pool(5);
    CHECK(collect(pool.map(magnitude, std::views::iota(-5, 5))) == magnitudes);
    pids = pool.worker_pids();
    CHECK_FALSE(pids.empty());
  }
  CHECK(std::ranges::all_of(pids, is_gone));
}

TEST_CASE_FIXTURE(NothingLeft,
                  "shutdown: without waiting it returns at once and all results still come "
                  "[cpython test_shutdown.test_shutdown_no_wait]") {
  const auto threads_before = thread_count();
  ProcessPoolExecutor pool(5);
  ProcessGate gate;
  const std::vector<std::string> gates(10, gate.folder());
  auto results = pool.map(magnitude_behind_gate, gates, std::views::iota(-5, 5));
  pool.shutdown({.wait = false});
  CHECK_THROWS_AS(pool.submit(echo, 1), RuntimeError);
  gate.let_through(10);
  CHECK(collect(results) == magnitudes);
  CHECK(eventually([&] { return thread_count() == threads_before; }));
  CHECK_FALSE(has_children());
}

TEST_CASE_FIXTURE(NothingLeft,
                  "shutdown: three callers all wait for the running job [cpython "
                  "derived.cf_shutdown_concurrent]") {
  ProcessPoolExecutor pool(1);
  ProcessGate gate;
  const auto job = pool.submit(pass_gate, gate.folder(), 0);
  const auto shut_down = [&] {
    pool.shutdown();
    CHECK(job.done());
  };
  ProbedThread first(shut_down), second(shut_down), third(shut_down);
  for (const auto* caller : {&first, &second, &third}) caller->wait_until_asleep();
  CHECK_FALSE(job.done());
  gate.let_through(1);
}

TEST_CASE_FIXTURE(NothingLeft,
                  "shutdown: without waiting, queued jobs still run in order [cpython "
                  "derived.cf_shutdown_no_wait_queued]") {
  ProcessPoolExecutor pool(1);
  ProcessGate gate;
  std::vector<Future<int>> futures;
  for (int i = 0; i < 6; ++i) futures.push_back(pool.submit(pass_gate, gate.folder(), i));
  pool.shutdown({.wait = false});
  gate.let_through(6);
  for (const auto& future : futures) future.result(limit);
  CHECK(gate.wait_for_arrivals(6) == "abcdef");
}

TEST_CASE_FIXTURE(NothingLeft, "cancel: refuses a running job and drops a queued one") {
  ProcessPoolExecutor pool(1);
  ProcessGate gate;
  const auto running = pool.submit(pass_gate, gate.folder(), 0);
  const auto queued = pool.submit(pass_gate, gate.folder(), 1);
  gate.wait_for_arrivals(1);
  CHECK_FALSE(running.cancel());
  CHECK(queued.cancel());
  gate.let_through(1);
  pool.shutdown();
  CHECK(gate.arrived() == "a");
  CHECK(running.result(0s) == 0);
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
