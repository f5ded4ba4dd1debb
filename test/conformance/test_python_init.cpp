// CPython's test_init and test_interpreter_pool, thread side: what the initializer does for each
// worker.
#include <doctest/doctest.h>

#include <atomic>
#include <plait/futures.hpp>
#include <stdexcept>
#include <vector>

#include "../support/gate.hpp"
#include "../support/log_capture.hpp"
#include "../support/process_probe.hpp"

namespace plait::test {
namespace {

thread_local int worker_state = 0;

TEST_SUITE_BEGIN("conformance/test_init");

TEST_CASE(
    "initializer: every job sees the state it has set [cpython "
    "test_init.InitializerMixin.test_initializer]") {
  std::atomic<int> initialized = 0;
  Gate gate;
  ThreadPoolExecutor pool({.max_workers = 2, .initializer = [&] {
                             worker_state = 5;
                             ++initialized;
                           }});
  std::vector<Future<int>> states;
  for (int i = 0; i < 10; ++i) {
    states.push_back(pool.submit([&] {
      gate.pass();
      return worker_state;
    }));
  }
  gate.wait_for_arrivals(2);
  gate.open();
  for (const auto& state : states) CHECK(state.result() == 5);
  CHECK(initialized == 2);
}

TEST_CASE(
    "initializer: its failure fails all jobs submitted so far and every later submit "
    "[cpython test_init.FailingInitializerMixin.test_initializer/pending]") {
  const LogCapture log;
  Gate gate;
  ThreadPoolExecutor pool({.max_workers = 2, .initializer = [&] {
                             gate.pass();
                             throw std::logic_error("no licence");
                           }});
  std::vector<Future<int>> futures;
  for (int i = 0; i < 10; ++i) futures.push_back(pool.submit([] { return 1; }));
  gate.open();
  for (const auto& future : futures) CHECK_THROWS_AS(future.result(), BrokenThreadPool);
  CHECK_THROWS_AS(pool.submit([] { return 1; }), BrokenExecutor);
  CHECK(log.count("no licence") >= 1);
}

TEST_CASE(
    "initializer: does not run before the first job is submitted [cpython "
    "test_interpreter_pool.test_init_func]") {
  std::atomic<int> initialized = 0;
  const auto threads_before = thread_count();
  ThreadPoolExecutor pool({.max_workers = 4, .initializer = [&] { ++initialized; }});
  CHECK(pool.num_threads() == 0);
  CHECK(thread_count() == threads_before);
  CHECK(initialized == 0);
  CHECK(pool.submit([&] { return initialized.load(); }).result() == 1);
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
