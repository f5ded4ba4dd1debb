// CPython's test_tasks: shield().
#include <doctest/doctest.h>

#include <tuple>

#include "support/log_capture.hpp"
#include "support/loop_work.hpp"

namespace plait::test {
namespace {

TEST_SUITE_BEGIN("conformance/test_tasks_shield");

Coroutine<> shield_passes_on() {
  auto& loop = aio::get_running_loop();
  auto inner = loop.create_promise<int>();
  const auto outer = aio::shield(inner.get_future());
  co_await settle();
  CHECK_FALSE(outer.done());
  inner.set_result(42);
  CHECK((co_await outer) == 42);

  auto failing = loop.create_promise<int>();
  const auto failed = aio::shield(failing.get_future());
  failing.set_exception(WorkError("expected"));
  co_await settle();
  CHECK(failed.exception() == failing.get_future().exception());

  auto ending = loop.create_promise<int>();
  const auto cancelled = aio::shield(ending.get_future());
  ending.get_future().cancel();
  co_await settle();
  CHECK(cancelled.cancelled());
}

TEST_CASE(
    "shield: gives the value, the error and the cancellation of the inner future [cpython "
    "test_tasks.test_shield_result] [cpython test_tasks.test_shield_exception] [cpython "
    "test_tasks.test_shield_cancel_inner]") {
  run_virtual(shield_passes_on());
}

Coroutine<> shield_cancel_outer() {
  auto inner = aio::get_running_loop().create_promise<int>();
  const auto outer = aio::shield(inner.get_future());
  co_await settle();
  CHECK(outer.cancel());
  co_await settle();
  CHECK(outer.cancelled());
  CHECK_FALSE(inner.get_future().done());
  inner.set_result(1);
  co_await settle();
  CHECK(inner.get_future().result() == 1);
}

TEST_CASE(
    "shield: cancelling the outer future leaves the inner one alone [cpython "
    "test_tasks.test_shield_cancel_outer] [cpython test_tasks.test_shield_cancel_outer_result]") {
  const LogCapture log;
  run_virtual(shield_cancel_outer());
  CHECK(log.size() == 0);
}

Coroutine<> shield_late_failure(bool ask) {
  auto inner = aio::create_task(fail_after(seconds(1), "late"));
  const auto outer = aio::shield(inner);
  outer.cancel();
  co_await aio::sleep(seconds(2));
  if (ask) CHECK_THROWS_AS(inner.result(), WorkError);
}

TEST_CASE(
    "shield: a failure after the cancellation is reported if nobody asks for it [cpython "
    "test_tasks.test_shield_cancel_outer_exception]") {
  const LogCapture log;
  run_virtual(shield_late_failure(true));
  CHECK(log.size() == 0);
  run_virtual(shield_late_failure(false));
  CHECK(log.count("never retrieved", "late") == 1);
}

Coroutine<> shield_done() {
  auto inner = aio::get_running_loop().create_promise<int>();
  inner.set_result(42);
  const auto outer = aio::shield(inner.get_future());
  CHECK(outer == inner.get_future());
  CHECK((co_await outer) == 42);
}

TEST_CASE(
    "shield: a done future is given back as it is [cpython test_tasks.test_shield_shortcut]") {
  run_virtual(shield_done());
}

Coroutine<> finish_later(Future<int> waiter, int& proof) {
  co_await waiter;
  proof += 1;
}

Coroutine<> await_shield(Future<> inner, int& proof) {
  co_await inner;
  proof += 100;
}

Coroutine<> shield_effect() {
  int proof = 0;
  auto waiter = aio::get_running_loop().create_promise<int>();
  const auto inner = aio::shield(finish_later(waiter.get_future(), proof));
  const auto outer = aio::create_task(await_shield(inner, proof));
  co_await settle();
  outer.cancel();
  co_await settle();
  CHECK(outer.cancelled());
  waiter.set_result(0);
  co_await settle();
  CHECK(proof == 1);
}

TEST_CASE(
    "shield: the work goes on when who awaits it is cancelled [cpython "
    "test_tasks.test_shield_effect]") {
  run_virtual(shield_effect());
}

Coroutine<> shield_gather() {
  auto& loop = aio::get_running_loop();
  auto child1 = loop.create_promise<int>();
  auto child2 = loop.create_promise<int>();
  const auto parent = aio::gather(child1.get_future(), child2.get_future());
  const auto outer = aio::shield(parent);
  co_await settle();
  outer.cancel();
  co_await settle();
  CHECK(outer.cancelled());
  child1.set_result(1);
  child2.set_result(2);
  CHECK((co_await parent) == std::tuple(1, 2));
}

TEST_CASE("shield: protects a gather() [cpython test_tasks.test_shield_gather]") {
  run_virtual(shield_gather());
}

Coroutine<> gather_of_shields() {
  auto& loop = aio::get_running_loop();
  auto child1 = loop.create_promise<int>();
  auto child2 = loop.create_promise<int>();
  const auto parent =
      aio::gather(aio::shield(child1.get_future()), aio::shield(child2.get_future()));
  co_await settle();
  CHECK(parent.cancel());
  co_await settle();
  CHECK(parent.cancelled());
  CHECK_FALSE(child1.get_future().cancelled());
  CHECK_FALSE(child2.get_future().cancelled());
  child1.set_result(1);
  child2.set_result(2);
}

TEST_CASE("gather: its cancellation stops at a shield() [cpython test_tasks.test_gather_shield]") {
  run_virtual(gather_of_shields());
}

Coroutine<> shield_coroutine() { CHECK((co_await aio::shield(sleep_then(seconds(1), 3))) == 3); }

TEST_CASE(
    "shield: a coroutine belongs to the running loop, which there must be [cpython "
    "test_tasks.test_shield_coroutine_without_loop]") {
  run_virtual(shield_coroutine());
  CHECK_THROWS_AS(aio::shield(nap_for(seconds(1))), RuntimeError);
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
