// What every executor promises, written once: each executor's tests invoke these bodies with their
// own type.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <plait/futures.hpp>
#include <ranges>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "../support/lifetime_tracked.hpp"
#include "../support/log_capture.hpp"
#include "../support/prepared_futures.hpp"
#include "../support/process_probe.hpp"

namespace plait::test {

inline int power(int base, int exponent) {
  int result = 1;
  for (; exponent > 0; --exponent) result *= base;
  return result;
}

inline int quotient(int dividend, int divisor) {
  if (divisor == 0) throw std::domain_error("division by zero");
  return dividend / divisor;
}

// What runs in other processes shares nothing with the test, takes no pointers, and throws back
// only what it knows.
template <class ExecutorType>
inline constexpr bool in_processes = std::is_same_v<ExecutorType, ProcessPoolExecutor>;

// power, as the executor takes it through Executor&.
template <class ExecutorType>
auto opaque_power() {
  if constexpr (in_processes<ExecutorType>) {
    return remote<power>;
  } else {
    return power;
  }
}

struct SumOfPointees {
  std::unique_ptr<int> held;
  auto operator()(std::unique_ptr<int> given) const {
    return std::make_unique<int>(*held + *given);
  }
};

// The elements that are left.
template <class Results>
auto collect(Results&& results) {
  std::vector<std::ranges::range_value_t<Results>> values;
  for (auto&& value : results) values.push_back(std::move(value));
  return values;
}

inline const std::vector<std::size_t> chunk_sizes{1, 2, 3, 4, 100};
inline const std::vector<std::optional<std::size_t>> buffer_sizes{std::nullopt, 1, 2, 4, 8};

// ---------------------------------------------------------------- submit

TEST_CASE_TEMPLATE_DEFINE("submit: gives the value of the call [cpython executor.test_submit]",
                          ExecutorType, contract_submit_value) {
  ExecutorType executor;
  CHECK(executor.submit(power, 2, 8).result() == 256);
  Executor& base = executor;
  CHECK(base.submit(opaque_power<ExecutorType>(), 3, 2).result() == 9);
}

TEST_CASE_TEMPLATE_DEFINE(
    "submit: passes exactly the given arguments in order [cpython executor.test_submit_keyword]",
    ExecutorType, contract_submit_arguments) {
  ExecutorType executor;
  const auto join = [](int a, const std::string& b, char c, double d) {
    return std::to_string(a) + b + c + std::to_string(static_cast<int>(d));
  };
  using Text = std::conditional_t<in_processes<ExecutorType>, std::string, const char*>;
  CHECK(executor.submit(join, 1, Text("fn"), 'x', 2.5).result() == "1fnx2");
  if constexpr (!in_processes<ExecutorType>) {
    CHECK_THROWS_AS(executor.submit(std::function<int()>()), std::invalid_argument);
  }
  CHECK_THROWS_AS(executor.submit(static_cast<int (*)()>(nullptr)), std::invalid_argument);
}

TEST_CASE_TEMPLATE_DEFINE("submit: carries the job's exception to whoever asks", ExecutorType,
                          contract_submit_error) {
  ExecutorType executor;
  auto failed = executor.submit(quotient, 1, 0);
  CHECK_THROWS_WITH_AS(failed.result(), "division by zero", std::domain_error);
  CHECK_THROWS_WITH_AS(failed.result(), "division by zero", std::domain_error);
  CHECK(failed.exception() != nullptr);
  auto odd = executor.submit([] { throw 42; });
  using Odd = std::conditional_t<in_processes<ExecutorType>, RemoteError, int>;
  CHECK_THROWS_AS(odd.result(), Odd);
}

TEST_CASE_TEMPLATE_DEFINE("submit: a job that throws CancelledError ends cancelled", ExecutorType,
                          contract_submit_cancelled) {
  ExecutorType executor;
  auto future = executor.submit([]() -> int { throw CancelledError("enough"); });
  future.wait();
  CHECK(future.cancelled());
  CHECK(future.done());
  CHECK_THROWS_AS(future.result(), CancelledError);
}

TEST_CASE_TEMPLATE_DEFINE("submit: takes move-only callables, arguments and results", ExecutorType,
                          contract_submit_move_only) {
  ExecutorType executor;
  auto future = executor.submit(SumOfPointees{std::make_unique<int>(40)}, std::make_unique<int>(2));
  CHECK(*future.take() == 42);
  CHECK(*executor.submit([] { return std::make_unique<int>(7); }).result() == 7);
}

TEST_CASE_TEMPLATE_DEFINE("submit: copies arguments unless they are wrapped in std::ref",
                          ExecutorType, contract_submit_references) {
  ExecutorType executor;
  int value = 1;
  const auto increment = [](int& number) { return ++number; };
  CHECK(executor.submit(increment, std::ref(value)).result() == 2);
  CHECK(value == 2);
  struct Counter {
    int count = 5;
    int add(int more) { return count += more; }
  } counter;
  CHECK(executor.submit(&Counter::add, &counter, 3).result() == 8);
  CHECK(counter.count == 8);
}

TEST_CASE_TEMPLATE_DEFINE("submit: hands a stop token to a callable that takes one first",
                          ExecutorType, contract_submit_stop_token) {
  ExecutorType executor;
  const auto possible = [](std::stop_token token, int a) { return token.stop_possible() ? a : 0; };
  const int answer = in_processes<ExecutorType> ? 0 : 9;  // a process is not asked to stop
  CHECK(executor.submit(possible, 9).result() == answer);
  CHECK_FALSE(
      executor.submit([](std::stop_token token) { return token.stop_requested(); }).result());
}

TEST_CASE_TEMPLATE_DEFINE("submit: frees callable and arguments as soon as the job is done",
                          ExecutorType, contract_submit_frees) {
  LifetimeCounts counts;
  ExecutorType executor;
  auto future =
      executor.submit([held = LifetimeTracked(counts)](const LifetimeTracked&) { return 1; },
                      LifetimeTracked(counts));
  CHECK(future.result() == 1);
  CHECK(eventually([&] { return counts.live == 0; }));
  CHECK(counts.copies == 0);
}

TEST_CASE_TEMPLATE_DEFINE("submit: a void job and a job that submits another one work",
                          ExecutorType, contract_submit_nested) {
  ExecutorType executor;
  std::atomic<int> runs = 0;
  auto outer = executor.submit([&] {
    executor.submit([&] { ++runs; }).result();
    ++runs;
  });
  static_assert(std::is_same_v<decltype(outer), Future<void>>);
  outer.result();
  CHECK(runs == 2);
  CHECK(outer.exception() == nullptr);
}

TEST_CASE_TEMPLATE_DEFINE("submit: accepts options before the callable", ExecutorType,
                          contract_submit_options) {
  ExecutorType executor;
  CHECK(executor.submit({.name = "named", .priority = 3}, power, 5, 2).result() == 25);
  const SubmitOptions timed{.timeout = std::chrono::minutes(1)}, repeated{.retries = 1};
  for (const auto& options : {timed, repeated}) {
    if constexpr (in_processes<ExecutorType>) {
      CHECK(executor.submit(options, power, 5, 2).result() == 25);
    } else {
      CHECK_THROWS_AS(executor.submit(options, power, 5, 2), std::invalid_argument);
    }
  }
}

TEST_CASE_TEMPLATE_DEFINE(
    "submit: after shutdown it throws [cpython "
    "test_shutdown.test_run_after_shutdown]",
    ExecutorType, contract_submit_after_shutdown) {
  ExecutorType executor;
  executor.shutdown();
  const auto text = text_of<RuntimeError>([&] { executor.submit(power, 2, 5); });
  CHECK(holds(text, "cannot schedule new futures after shutdown"));
  CHECK_THROWS_AS(executor.map(power, std::vector{1}, std::vector{1}), RuntimeError);
}

TEST_CASE_TEMPLATE_DEFINE(
    "shutdown: may be called again in any form [cpython "
    "derived.cf_shutdown_idempotent]",
    ExecutorType, contract_shutdown_idempotent) {
  ExecutorType executor;
  auto future = executor.submit(power, 2, 3);
  executor.shutdown();
  executor.shutdown();
  executor.shutdown({.wait = false});
  executor.shutdown({.wait = true, .cancel_futures = true});
  CHECK(future.result() == 8);
}

// ---------------------------------------------------------------- map

TEST_CASE_TEMPLATE_DEFINE(
    "map: gives results in input order and stops at the shortest input "
    "[cpython executor.test_map/order]",
    ExecutorType, contract_map_order) {
  ExecutorType executor;
  const auto values = collect(executor.map(power, std::views::iota(0, 10), std::views::iota(0)));
  REQUIRE(values.size() == 10);
  for (int i = 0; i < 10; ++i) CHECK(values[static_cast<std::size_t>(i)] == power(i, i));
}

TEST_CASE_TEMPLATE_DEFINE(
    "map: chunks and buffers change nothing in the sequence [cpython "
    "executor.test_map/chunksize] [cpython executor.test_map_buffersize]",
    ExecutorType, contract_map_chunks) {
  ExecutorType executor;
  for (const auto chunksize : chunk_sizes) {
    for (const auto buffersize : buffer_sizes) {
      CAPTURE(chunksize);
      auto results = executor.map({.chunksize = chunksize, .buffersize = buffersize}, power,
                                  std::views::iota(0, 4), std::vector{2, 2, 2, 2});
      CHECK(collect(results) == std::vector{0, 1, 4, 9});
    }
  }
}

TEST_CASE_TEMPLATE_DEFINE(
    "map: takes several inputs with a buffer [cpython "
    "executor.test_map_buffersize_on_multiple_iterables]",
    ExecutorType, contract_map_two_inputs) {
  ExecutorType executor;
  const std::vector inputs{0, 1, 2, 3};
  for (const auto buffersize : buffer_sizes) {
    auto results = executor.map({.buffersize = buffersize}, std::plus<>(), inputs, inputs);
    CHECK(collect(results) == std::vector{0, 2, 4, 6});
  }
}

TEST_CASE_TEMPLATE_DEFINE(
    "map: an empty input ends at once [cpython "
    "executor.test_map_buffersize_on_empty_iterable]",
    ExecutorType, contract_map_empty) {
  ExecutorType executor;
  const std::vector<int> nothing;
  const auto negate = std::negate<>();
  CHECK(collect(executor.map(negate, nothing)).empty());
  CHECK(collect(executor.map({.buffersize = 2}, negate, nothing)).empty());
  CHECK(collect(executor.map({.chunksize = 3}, negate, nothing)).empty());
  CHECK(collect(executor.map(std::plus<>(), nothing, std::views::iota(0))).empty());
}

TEST_CASE_TEMPLATE_DEFINE(
    "map: throws an element's error where it is read and goes on after it "
    "[cpython executor.test_map_exception/plain]",
    ExecutorType, contract_map_error) {
  ExecutorType executor;
  for (const auto chunksize : chunk_sizes) {
    CAPTURE(chunksize);
    auto results = executor.map({.chunksize = chunksize}, quotient, std::vector{5, 5, 5, 5},
                                std::vector{2, 3, 0, 5});
    auto position = results.begin();
    CHECK(*position == 2);
    CHECK(*++position == 1);
    ++position;
    CHECK_THROWS_WITH_AS(*position, "division by zero", std::domain_error);
    CHECK(*++position == 1);
    ++position;
    CHECK(position == results.end());
    CHECK(results.begin() == results.end());
  }
}

TEST_CASE_TEMPLATE_DEFINE(
    "map: refuses a size of 0 at the call [cpython "
    "executor.test_map_buffersize_value_validation]",
    ExecutorType, contract_map_validation) {
  ExecutorType executor;
  const std::vector inputs{1, 2};
  const auto negate = std::negate<>();
  CHECK_THROWS_AS(executor.map({.buffersize = 0}, negate, inputs), std::invalid_argument);
  CHECK_THROWS_AS(executor.map({.chunksize = 0}, negate, inputs), std::invalid_argument);
}

TEST_CASE_TEMPLATE_DEFINE("map: moves elements that cannot be copied", ExecutorType,
                          contract_map_move_only) {
  ExecutorType executor;
  const auto make = [](int number) { return std::make_unique<int>(number); };
  auto results = executor.map(make, std::views::iota(0, 20));
  int expected = 0;
  for (auto pointer : results) CHECK(*pointer == expected++);
  CHECK(expected == 20);
}

TEST_CASE_TEMPLATE_DEFINE("map: of a void function yields one std::monostate an element",
                          ExecutorType, contract_map_void) {
  ExecutorType executor;
  std::atomic<int> sum = 0;
  auto results = [&] {
    if constexpr (in_processes<ExecutorType>) {
      sum = 10;
      return executor.map([](int) {}, std::views::iota(1, 5));
    } else {
      return executor.map([&](int number) { sum += number; }, std::views::iota(1, 5));
    }
  }();
  static_assert(std::is_same_v<decltype(results), MapResults<void>>);
  CHECK(collect(results) == std::vector<std::monostate>(4));
  CHECK(sum == 10);
}

TEST_CASE_TEMPLATE_DEFINE(
    "map: taking one element and dropping the rest is harmless [cpython "
    "executor.test_map_close]",
    ExecutorType, contract_map_close) {
  ExecutorType executor;
  for (const std::size_t chunksize : {1, 3}) {
    auto results = executor.map({.chunksize = chunksize}, power, std::views::iota(1, 10),
                                std::views::iota(1, 10));
    CHECK(*results.begin() == 1);
  }
  CHECK(executor.submit(power, 2, 2).result() == 4);
}

}  // namespace plait::test
