// CPython's executor cases: the contract for every executor, and those that need threads.
#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <plait/futures.hpp>
#include <ranges>
#include <stdexcept>
#include <vector>

#include "../support/gate.hpp"
#include "executor_contract.hpp"

namespace plait::test {

TEST_SUITE_BEGIN("conformance/executor");

TEST_CASE_TEMPLATE_INVOKE(contract_submit_value, InlineExecutor, ThreadPoolExecutor);
TEST_CASE_TEMPLATE_INVOKE(contract_submit_arguments, InlineExecutor, ThreadPoolExecutor);
TEST_CASE_TEMPLATE_INVOKE(contract_submit_error, InlineExecutor, ThreadPoolExecutor);
TEST_CASE_TEMPLATE_INVOKE(contract_submit_cancelled, InlineExecutor, ThreadPoolExecutor);
TEST_CASE_TEMPLATE_INVOKE(contract_submit_move_only, InlineExecutor, ThreadPoolExecutor);
TEST_CASE_TEMPLATE_INVOKE(contract_submit_references, InlineExecutor, ThreadPoolExecutor);
TEST_CASE_TEMPLATE_INVOKE(contract_submit_stop_token, InlineExecutor, ThreadPoolExecutor);
TEST_CASE_TEMPLATE_INVOKE(contract_submit_frees, InlineExecutor, ThreadPoolExecutor);
TEST_CASE_TEMPLATE_INVOKE(contract_submit_nested, InlineExecutor, ThreadPoolExecutor);
TEST_CASE_TEMPLATE_INVOKE(contract_submit_options, InlineExecutor, ThreadPoolExecutor);
TEST_CASE_TEMPLATE_INVOKE(contract_submit_after_shutdown, InlineExecutor, ThreadPoolExecutor);
TEST_CASE_TEMPLATE_INVOKE(contract_shutdown_idempotent, InlineExecutor, ThreadPoolExecutor);
TEST_CASE_TEMPLATE_INVOKE(contract_map_order, InlineExecutor, ThreadPoolExecutor);
TEST_CASE_TEMPLATE_INVOKE(contract_map_chunks, InlineExecutor, ThreadPoolExecutor);
TEST_CASE_TEMPLATE_INVOKE(contract_map_two_inputs, InlineExecutor, ThreadPoolExecutor);
TEST_CASE_TEMPLATE_INVOKE(contract_map_empty, InlineExecutor, ThreadPoolExecutor);
TEST_CASE_TEMPLATE_INVOKE(contract_map_error, InlineExecutor, ThreadPoolExecutor);
TEST_CASE_TEMPLATE_INVOKE(contract_map_validation, InlineExecutor, ThreadPoolExecutor);
TEST_CASE_TEMPLATE_INVOKE(contract_map_move_only, InlineExecutor, ThreadPoolExecutor);
TEST_CASE_TEMPLATE_INVOKE(contract_map_void, InlineExecutor, ThreadPoolExecutor);
TEST_CASE_TEMPLATE_INVOKE(contract_map_close, InlineExecutor, ThreadPoolExecutor);

TEST_CASE("map: one deadline from the call on [cpython executor.test_map_timeout]") {
  Gate gate;
  std::atomic<int> runs = 0;
  ThreadPoolExecutor pool(1);
  const auto work = [&](int number) {
    ++runs;
    if (number > 0) gate.pass();
    return number;
  };
  auto results = pool.map({.timeout = 50ms}, work, std::vector{0, 0, 6, 7, 8});
  auto position = results.begin();
  CHECK(*position == 0);
  CHECK(*++position == 0);
  ++position;
  CHECK_THROWS_AS(*position, TimeoutError);
  if (position != results.end()) ++position;
  CHECK(position == results.end());
  CHECK(results.begin() == results.end());
  gate.open();
  pool.shutdown();
  CHECK(runs == 3);
}

TEST_CASE(
    "map: dropping the results cancels what has not started [cpython "
    "executor.test_map_close]") {
  for (const std::size_t chunksize : {1, 3}) {
    Gate gate;
    std::atomic<int> runs = 0;
    ThreadPoolExecutor pool(1);
    const auto work = [&](int number) {
      ++runs;
      if (number >= 3) gate.pass();
      return number;
    };
    {
      auto results = pool.map({.chunksize = chunksize}, work, std::views::iota(0, 12));
      CHECK(*results.begin() == 0);
      gate.wait_for_arrivals(1);
    }
    gate.open();
    pool.shutdown();
    CHECK(runs >= 4);
    CHECK(runs <= (chunksize == 1 ? 4 : 6));
  }
}

TEST_CASE(
    "shutdown: right after a map nobody reads returns [cpython "
    "executor.test_shutdown_race_issue12456]") {
  for (int round = 0; round < 50; ++round) {
    ThreadPoolExecutor pool(4);
    auto results = pool.map(power, std::views::iota(0, 5), std::views::iota(0, 5));
    pool.shutdown();
    CHECK(collect(results) == std::vector{1, 1, 4, 27, 256});
  }
}

TEST_CASE(
    "ThreadPoolExecutor: refuses an impossible number of workers [cpython "
    "executor.test_max_workers_negative]") {
  CHECK_THROWS_AS(ThreadPoolExecutor(static_cast<std::size_t>(-1)), std::invalid_argument);
  CHECK_THROWS_AS(ThreadPoolExecutor({.max_workers = static_cast<std::size_t>(-1)}),
                  std::invalid_argument);
}

TEST_SUITE_END();

}  // namespace plait::test
