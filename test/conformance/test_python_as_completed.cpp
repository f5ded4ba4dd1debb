// CPython's test_as_completed: futures in the order in which they finish.
#include <doctest/doctest.h>

#include <algorithm>
#include <plait/futures.hpp>
#include <vector>

#include "../support/gate.hpp"
#include "../support/log_capture.hpp"
#include "../support/prepared_futures.hpp"
#include "../support/process_probe.hpp"

namespace plait::test {
namespace {

std::vector<Future<int>> collect_completed(const std::vector<Future<int>>& futures) {
  std::vector<Future<int>> completed;
  for (const auto& future : as_completed(futures)) completed.push_back(future);
  return completed;
}

TEST_SUITE_BEGIN("conformance/test_as_completed");

TEST_CASE(
    "as_completed: yields done futures and jobs, each once [cpython "
    "test_as_completed.test_no_timeout]") {
  PreparedFutures prepared;
  ThreadPoolExecutor pool(2);
  const auto answer = [] { return 1; };
  const std::vector futures{prepared.notified, prepared.failed, prepared.succeeded,
                            pool.submit(answer), pool.submit(answer)};
  CHECK(same_futures(collect_completed(futures), futures));
}

TEST_CASE(
    "as_completed: yields a future given three times once [cpython "
    "test_as_completed.test_duplicate_futures]") {
  ThreadPoolExecutor pool(1);
  const auto future = pool.submit([] { return 1; });
  CHECK(collect_completed({future, future, future}) == std::vector{future});
}

TEST_CASE(
    "as_completed: the timeout's text counts the unfinished [cpython "
    "test_as_completed.test_correct_timeout_exception_msg]") {
  PreparedFutures prepared;
  const auto text = text_of<TimeoutError>([&] {
    for (const auto& future : as_completed(
             std::vector{prepared.notified, prepared.pending, prepared.running, prepared.succeeded},
             Duration(0))) {
      CHECK(future.done());
    }
  });
  CHECK(holds(text, "2 (of 4) futures unfinished"));
}

TEST_CASE(
    "as_completed: follows the order of completion [cpython "
    "derived.cf_as_completed_order]") {
  Gate gates[3];
  ThreadPoolExecutor pool(3);
  std::vector<Future<int>> futures;
  for (int i = 0; i < 3; ++i) {
    futures.push_back(pool.submit([&gates, i] {
      gates[i].pass();
      return i;
    }));
  }
  std::vector<int> order;
  gates[1].open();
  for (const auto& future : as_completed(futures)) {
    order.push_back(future.result());
    gates[order.size() == 1 ? 2 : 0].open();
  }
  CHECK(order == std::vector{1, 2, 0});
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
