// CPython's test_tasks: gather().
// Left out: test_env_var_debug and repr; runs of one coroutine object given twice, which C++ cannot
// have (duplicates are futures here).
#include <doctest/doctest.h>

#include <array>
#include <tuple>

#include "support/log_capture.hpp"
#include "support/loop_work.hpp"

namespace plait::test {
namespace {

using Promises = std::array<Promise<int>, 5>;

Promises make_promises() {
  auto& loop = aio::get_running_loop();
  return {loop.create_promise<int>(), loop.create_promise<int>(), loop.create_promise<int>(),
          loop.create_promise<int>(), loop.create_promise<int>()};
}

std::vector<Future<int>> futures_of(const Promises& promises) {
  std::vector<Future<int>> futures;
  for (const auto& promise : promises) futures.push_back(promise.get_future());
  return futures;
}

TEST_SUITE_BEGIN("conformance/test_tasks_combinators");

template <bool catches>
auto gather_all(std::vector<Future<int>> futures) {
  if constexpr (catches) {
    return aio::gather(aio::return_exceptions, std::move(futures));
  } else {
    return aio::gather(std::move(futures));
  }
}

template <bool catches>
Coroutine<std::vector<int>> gather_out_of_order(int& calls) {
  auto& loop = aio::get_running_loop();
  auto a = loop.create_promise<int>();
  auto b = loop.create_promise<int>();
  auto c = loop.create_promise<int>();
  auto all = gather_all<catches>({a.get_future(), b.get_future(), c.get_future()});
  all.add_done_callback([&calls](const auto&) { ++calls; });
  b.set_result(1);
  a.set_result(2);
  co_await settle();
  CHECK_FALSE(all.done());
  CHECK(calls == 0);
  c.set_result(3);
  co_await settle();
  CHECK(calls == 1);
  std::vector<int> values;
  for (const auto& result : all.result()) {
    if constexpr (catches) {
      values.push_back(result.value());
    } else {
      values.push_back(result);
    }
  }
  co_return values;
}

TEST_CASE(
    "gather: results come in the order of the arguments, whoever is first [cpython "
    "test_tasks.GatherTests.test_success]") {
  int calls = 0;
  CHECK(run_virtual(gather_out_of_order<false>(calls)) == std::vector{2, 1, 3});
  calls = 0;
  CHECK(run_virtual(gather_out_of_order<true>(calls)) == std::vector{2, 1, 3});
}

Coroutine<> gather_with_failure() {
  auto promises = make_promises();
  auto& [a, b, c, d, e] = promises;
  int calls = 0;
  auto all = aio::gather(futures_of(promises));
  all.add_done_callback([&](const auto&) { ++calls; });
  a.set_result(1);
  b.set_exception(WorkError("first"));
  co_await settle();
  CHECK(calls == 1);
  CHECK(all.done());
  CHECK(all.exception() == b.get_future().exception());
  c.set_result(3);
  d.get_future().cancel();
  e.set_exception(WorkError("second"));
  co_await settle();
  CHECK(calls == 1);
}

TEST_CASE(
    "gather: the first failure ends it, and later ones change nothing [cpython "
    "test_tasks.GatherTests.test_one_exception]") {
  const LogCapture log;
  run_virtual(gather_with_failure());
  CHECK(log.size() == 0);
}

Coroutine<> gather_catching() {
  auto promises = make_promises();
  auto& [a, b, c, d, e] = promises;
  auto all = aio::gather(aio::return_exceptions, futures_of(promises));
  b.set_result(1);
  a.set_result(3);
  c.set_exception(WorkError("c"));
  d.set_exception(WorkError("d"));
  co_await settle();
  CHECK_FALSE(all.done());
  e.set_result(5);
  const auto& results = co_await all;
  CHECK(results[0].value() == 3);
  CHECK(results[1].value() == 1);
  CHECK(results[2].exception() == c.get_future().exception());
  CHECK(results[3].exception() == d.get_future().exception());
  CHECK(results[4].value() == 5);
}

TEST_CASE(
    "gather: with return_exceptions it waits for all and gives the errors as results [cpython "
    "test_tasks.GatherTests.test_return_exceptions]") {
  run_virtual(gather_catching());
}

Coroutine<> gather_nothing() {
  CHECK((co_await aio::gather()) == std::tuple<>());
  CHECK((co_await aio::gather(std::vector<Future<int>>())).empty());
  CHECK((co_await aio::gather(aio::return_exceptions, std::vector<Coroutine<int>>())).empty());
}

TEST_CASE(
    "gather: of nothing it is an empty result, but not without a loop [cpython "
    "test_tasks.GatherTests.test_constructor_empty_sequence]") {
  run_virtual(gather_nothing());
  CHECK_THROWS_AS(aio::gather(), RuntimeError);
  CHECK_THROWS_AS(aio::gather(std::vector<Future<int>>()), RuntimeError);
}

Coroutine<> gather_of_two_loops(Future<int> other) {
  auto mine = aio::get_running_loop().create_promise<int>();
  CHECK_THROWS_AS(aio::gather(mine.get_future(), other), std::invalid_argument);
  CHECK_THROWS_AS(aio::gather(std::vector{other}), std::invalid_argument);
  co_return;
}

TEST_CASE(
    "gather: children of two loops are refused [cpython "
    "test_tasks.GatherTests.test_constructor_heterogenous_futures]") {
  aio::EventLoop other;
  auto promise = other.create_promise<int>();
  run_virtual(gather_of_two_loops(promise.get_future()));
}

Coroutine<> gather_catching_cancellations() {
  auto promises = make_promises();
  auto& [a, b, c, d, e] = promises;
  auto all = aio::gather(aio::return_exceptions, futures_of(promises));
  a.set_result(1);
  b.set_exception(WorkError("b"));
  c.get_future().cancel();
  d.set_exception(CancelledError("d"));
  e.set_result(5);
  const auto& results = co_await all;
  CHECK(results[0].value() == 1);
  CHECK_THROWS_AS(results[1].value(), WorkError);
  CHECK_THROWS_AS(results[2].value(), CancelledError);
  CHECK_THROWS_AS(results[3].value(), CancelledError);
  CHECK(results[4].value() == 5);
}

TEST_CASE(
    "gather: cancelled children are results with return_exceptions [cpython "
    "test_tasks.GatherTests.test_result_exception_one_cancellation]") {
  run_virtual(gather_catching_cancellations());
}

Coroutine<std::string> counted(std::string text, int& runs) {
  ++runs;
  co_await aio::yield();
  co_return text;
}

Coroutine<> gather_duplicates() {
  int runs = 0;
  const auto c = aio::create_task(counted("abc", runs));
  const auto d = aio::create_task(counted("def", runs));
  const auto results = co_await aio::gather(list_of(c, c, d, c));
  CHECK(results == std::vector<std::string>{"abc", "abc", "def", "abc"});
  CHECK(runs == 2);
}

TEST_CASE(
    "gather: a task that is given several times runs once [cpython "
    "test_tasks.GatherTests.test_duplicate_coroutines]") {
  run_virtual(gather_duplicates());
}

Coroutine<int> await_and_count(Future<int> waiter, int& proof) {
  co_await waiter;
  proof += 1;
  co_return 0;
}

Coroutine<> outer_of(Future<std::tuple<int, int>> all, int& proof) {
  co_await all;
  proof += 100;
}

Coroutine<> cancel_broadcast() {
  int proof = 0;
  auto waiter = aio::get_running_loop().create_promise<int>();
  const auto child1 = aio::create_task(await_and_count(waiter.get_future(), proof));
  const auto child2 = aio::create_task(await_and_count(waiter.get_future(), proof));
  const auto all = aio::gather(child1, child2);
  const auto outer = aio::create_task(outer_of(all, proof));
  co_await settle();
  CHECK(outer.cancel());
  co_await settle();
  CHECK(outer.cancelled());
  CHECK_FALSE(all.cancel());
  CHECK(all.cancelled());
  CHECK(waiter.get_future().cancelled());
  CHECK(child1.cancelled());
  CHECK(child2.cancelled());
  CHECK(proof == 0);
}

TEST_CASE(
    "gather: cancelling who awaits it cancels the children and what they await [cpython "
    "test_tasks.GatherTests.test_cancellation_broadcast]") {
  run_virtual(cancel_broadcast());
}

Coroutine<> siblings_continue() {
  const auto a = aio::create_task(sleep_then(seconds(1), 7));
  const auto all = aio::gather(a, fail_after(milliseconds(1)));
  try {
    co_await all;
  } catch (const WorkError&) {
    CHECK_FALSE(a.done());
  }
  CHECK((co_await a) == 7);
}

TEST_CASE("gather: after a failure the others run on [cpython derived.gather_siblings_continue]") {
  run_virtual(siblings_continue());
}

Coroutine<> cancel_catching() {
  int cancelled = 0;
  auto all = aio::gather(aio::return_exceptions, count_cancel(seconds(1), cancelled),
                         count_cancel(seconds(2), cancelled));
  co_await settle();
  CHECK(all.cancel());
  try {
    co_await all;
    FAIL_CHECK("it ended with results");
  } catch (const CancelledError&) {
    CHECK(cancelled == 2);
  }
}

TEST_CASE(
    "gather: cancel() ends it cancelled with return_exceptions, too [cpython "
    "derived.gather_cancel_return_exceptions]") {
  run_virtual(cancel_catching());
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
