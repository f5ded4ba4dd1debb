// CPython's cases of the cancellation of tasks.
#include <doctest/doctest.h>

#include <chrono>
#include <optional>
#include <plait/aio.hpp>
#include <plait/futures.hpp>
#include <stdexcept>
#include <string>

#include "../support/log_capture.hpp"
#include "../support/loop_probe.hpp"
#include "../support/prepared_futures.hpp"

namespace plait::test {
namespace {

using namespace std::chrono_literals;

constexpr aio::LoopOptions virtual_time{.virtual_time = true};

template <class F>
std::string cancel_message(F wait) {
  try {
    wait();
  } catch (const CancelledError& error) {
    return "cancelled: " + error.message();
  }
  return "not cancelled";
}

template <class T>
Coroutine<T> await_future(Future<T> future) {
  co_return co_await future;
}

TEST_SUITE_BEGIN("conformance/task_cancel");

TEST_CASE(
    "cancel: each request counts, from the first one on [cpython test_tasks.test_cancelling]") {
  aio::EventLoop loop(virtual_time);
  const auto task = loop.create_task(aio::sleep(10s));
  CHECK(task.cancelling() == 0);
  CHECK(task.cancel());
  CHECK(task.cancelling() == 1);
  CHECK(task.cancel());
  CHECK_FALSE(task.cancelled());
  CHECK_THROWS_AS(loop.run_until_complete(task), CancelledError);
  CHECK(task.cancelling() == 2);
  CHECK(task.cancelled());
}

Coroutine<int> take_cancellation_back() {
  try {
    co_await aio::sleep(10s);
  } catch (const CancelledError&) {
    CHECK(aio::current_task()->cancelling() == 1);
    CHECK(aio::current_task()->uncancel() == 0);
  }
  co_await aio::sleep(10s);
  co_return 1;
}

TEST_CASE(
    "uncancel: takes a request back; the next one counts anew "
    "[cpython test_tasks.test_uncancel_basic]") {
  aio::EventLoop loop(virtual_time);
  const auto task = loop.create_task(take_cancellation_back());
  run_briefly(loop);
  CHECK(task.cancel());
  CHECK(task.cancelling() == 1);
  run_briefly(loop);
  CHECK(task.cancelling() == 0);
  CHECK_FALSE(task.cancelled());
  CHECK_FALSE(task.done());
  CHECK(task.cancel());
  CHECK_THROWS_AS(loop.run_until_complete(task), CancelledError);
  CHECK(task.cancelled());
  CHECK(task.cancelling() == 1);
  CHECK(task.uncancel() == 0);
  CHECK(task.cancelled());
}

// A timeout made by hand: true where it has expired.
Coroutine<bool> sleep_with_timeout(aio::EventLoop& loop, Duration delay, Duration timeout) {
  const auto task = *aio::current_task();
  auto timer = loop.call_later(timeout, [task] { task.cancel(); });
  bool cancelled = false;
  try {
    co_await aio::sleep(delay);
  } catch (const CancelledError&) {
    cancelled = true;
  }
  timer.cancel();
  co_return cancelled&& task.uncancel() == 0;
}

Coroutine<bool> use_timeout(aio::EventLoop& loop, Duration delay) {
  const bool expired = co_await sleep_with_timeout(loop, delay, 1s);
  co_await aio::sleep(10s);
  CHECK(aio::current_task()->cancelling() == 0);
  co_return expired;
}

TEST_CASE(
    "uncancel: serves structured blocks, as timeouts are "
    "[cpython test_tasks.test_uncancel_structured_blocks]") {
  aio::EventLoop loop(virtual_time);
  CHECK(loop.run_until_complete(use_timeout(loop, 2s)));
  CHECK(loop.time() == Clock::time_point() + 11s);
  CHECK_FALSE(loop.run_until_complete(use_timeout(loop, 500ms)));
}

TEST_CASE(
    "cancel: ends a sleep at once; afterwards there is nothing to cancel "
    "[cpython test_tasks.test_cancel]") {
  aio::EventLoop loop(virtual_time);
  const auto task = loop.create_task(aio::sleep(10s));
  loop.call_soon([&] { CHECK(task.cancel()); });
  CHECK_THROWS_AS(loop.run_until_complete(task), CancelledError);
  CHECK(loop.time() == Clock::time_point());
  CHECK(task.done());
  CHECK(task.cancelled());
  CHECK_FALSE(task.cancel());
}

TEST_CASE(
    "cancel: the message comes out of result() and exception() "
    "[cpython test_tasks.test_cancel_with_message]") {
  aio::EventLoop loop(virtual_time);
  for (const std::string message : {"", "my message"}) {
    for (const bool started : {false, true}) {
      const auto task = loop.create_task(aio::sleep(10s));
      if (started) run_briefly(loop);
      task.cancel(message);
      const auto expected = "cancelled: " + message;
      CHECK(cancel_message([&] { loop.run_until_complete(task); }) == expected);
      CHECK(cancel_message([&] { task.result(); }) == expected);
      CHECK(cancel_message([&] { static_cast<void>(task.exception()); }) == expected);
    }
  }
}

Coroutine<int> yield_twice() {
  co_await aio::yield();
  co_await aio::yield();
  co_return 12;
}

TEST_CASE("cancel: meets a task that yields [cpython test_tasks.test_cancel_yield]") {
  aio::EventLoop loop;
  const auto task = loop.create_task(yield_twice());
  run_once(loop);
  CHECK(task.cancel());
  CHECK_THROWS_AS(loop.run_until_complete(task), CancelledError);
  CHECK(task.cancelled());
}

TEST_CASE(
    "cancel: of the awaited future by somebody else cancels the task "
    "[cpython test_tasks.test_cancel_inner_future]") {
  aio::EventLoop loop;
  auto promise = loop.create_promise<int>();
  const auto task = loop.create_task(await_future(promise.get_future()));
  run_briefly(loop);
  promise.get_future().cancel();
  CHECK_THROWS_AS(loop.run_until_complete(task), CancelledError);
  CHECK(task.cancelled());
  CHECK(task.cancelling() == 0);
}

TEST_CASE(
    "cancel: of both the task and what it awaits is one cancellation "
    "[cpython test_tasks.test_cancel_both_task_and_inner_future]") {
  aio::EventLoop loop;
  auto promise = loop.create_promise<int>();
  const auto task = loop.create_task(await_future(promise.get_future()));
  run_briefly(loop);
  CHECK(promise.get_future().cancel());
  CHECK(task.cancel());
  CHECK_THROWS_AS(loop.run_until_complete(task), CancelledError);
  CHECK(promise.get_future().cancelled());
  CHECK(task.cancelled());
}

Coroutine<int> catch_and_return(Future<int> future) {
  try {
    co_await future;
  } catch (const CancelledError&) {
  }
  co_return 42;
}

TEST_CASE(
    "cancel: what the task awaits is cancelled at once; the task may end otherwise "
    "[cpython test_tasks.test_cancel_task_catching]") {
  aio::EventLoop loop;
  auto promise = loop.create_promise<int>();
  const auto task = loop.create_task(catch_and_return(promise.get_future()));
  run_briefly(loop);
  CHECK(task.cancel());
  CHECK(promise.get_future().cancelled());
  CHECK(loop.run_until_complete(task) == 42);
  CHECK_FALSE(task.cancelled());
}

Coroutine<int> cancel_itself(aio::EventLoop& loop) {
  aio::current_task()->cancel();
  CHECK(aio::current_task()->cancelling() == 1);
  co_await aio::sleep(100s);
  loop.stop();
  co_return 12;
}

TEST_CASE(
    "cancel: of the current task meets its next await "
    "[cpython test_tasks.test_cancel_current_task]") {
  aio::EventLoop loop(virtual_time);
  const auto task = loop.create_task(cancel_itself(loop));
  CHECK_THROWS_AS(loop.run_until_complete(task), CancelledError);
  CHECK(loop.time() == Clock::time_point());
  CHECK(task.cancelled());
}

Coroutine<> await_cancelled_sleeper(aio::EventLoop& loop) {
  const auto sleeper = aio::create_task(aio::sleep(5000s));
  loop.call_later(100ms, [sleeper] { sleeper.cancel(); });
  bool cancelled = false;
  try {
    co_await sleeper;
  } catch (const CancelledError&) {
    cancelled = true;
  }
  CHECK(cancelled);
  CHECK(aio::current_task()->cancelling() == 0);
}

TEST_CASE(
    "cancel: who awaits a cancelled task sees it and is not cancelled itself "
    "[cpython test_tasks.test_task_cancel_sleeping_task]") {
  aio::EventLoop loop(virtual_time);
  loop.run_until_complete(await_cancelled_sleeper(loop));
  CHECK(loop.time() == Clock::time_point() + 100ms);
}

TEST_CASE(
    "cancel: passes on to the future that is awaited "
    "[cpython test_tasks.test_task_cancel_waiter_future]") {
  aio::EventLoop loop;
  auto promise = loop.create_promise<int>();
  const auto task = loop.create_task(await_future(promise.get_future()));
  run_briefly(loop);
  task.cancel();
  CHECK_THROWS_AS(loop.run_until_complete(task), CancelledError);
  CHECK(task.cancelled());
  CHECK(promise.get_future().cancelled());
}

Coroutine<int> inner_of_two(Future<int> waiter, int& proof) {
  std::exception_ptr error;
  try {
    co_await waiter;
  } catch (const CancelledError&) {
    proof += 1;
    throw;
  }
  co_return 0;
}

Coroutine<> outer_of_two(Future<int> waiter, int& proof) {
  try {
    co_await inner_of_two(waiter, proof);
  } catch (const CancelledError&) {
    proof += 100;
  }
}

TEST_CASE(
    "cancel: goes through the whole chain of awaits, from the inside "
    "[cpython test_tasks.test_yield_future_passes_cancel]") {
  aio::EventLoop loop;
  auto promise = loop.create_promise<int>();
  int proof = 0;
  const auto task = loop.create_task(outer_of_two(promise.get_future(), proof));
  run_briefly(loop);
  task.cancel();
  loop.run_until_complete(task);
  CHECK(proof == 101);
  CHECK(promise.get_future().cancelled());
  CHECK_FALSE(task.cancelled());
}

Coroutine<int> fail() {
  throw TestError("failed");
  co_return 1;
}

TEST_CASE(
    "cancel: of a failed task counts as knowing of its failure "
    "[cpython test_tasks.test_tb_logger_not_called_after_cancel]") {
  aio::EventLoop loop;
  const Reports reports(loop);
  std::optional task = loop.create_task(fail());
  run_briefly(loop);
  CHECK(task->done());
  CHECK_FALSE(task->cancel());
  task.reset();
  CHECK(reports.size() == 0);
}

Coroutine<> set_flag(bool& flag) {
  flag = true;
  co_return;
}

TEST_CASE("cancel: before the first step, the body never runs [derived.task_cancel_before_start]") {
  aio::EventLoop loop;
  bool ran = false;
  const auto task = loop.create_task(set_flag(ran));
  task.cancel();
  CHECK_FALSE(task.cancelled());
  CHECK_THROWS_AS(loop.run_until_complete(task), CancelledError);
  CHECK_FALSE(ran);
  CHECK(task.cancelled());
}

Coroutine<> throw_cancelled() {
  throw CancelledError("own");
  co_return;
}

TEST_CASE(
    "CancelledError: thrown by the coroutine itself ends the task cancelled "
    "[derived.task_raises_cancelled_itself]") {
  aio::EventLoop loop;
  const auto task = loop.create_task(throw_cancelled());
  CHECK(cancel_message([&] { loop.run_until_complete(task); }) == "cancelled: own");
  CHECK(task.cancelled());
  CHECK(task.cancelling() == 0);
}

Coroutine<> fail_in_cleanup() {
  try {
    co_await aio::sleep(10s);
  } catch (const CancelledError&) {
    throw TestError("cleanup");
  }
}

TEST_CASE(
    "cancel: an error of the cleanup replaces the cancellation "
    "[derived.task_cancel_replaced_by_error]") {
  aio::EventLoop loop(virtual_time);
  const auto task = loop.create_task(fail_in_cleanup());
  run_briefly(loop);
  task.cancel();
  CHECK_THROWS_AS(loop.run_until_complete(task), TestError);
  CHECK_FALSE(task.cancelled());
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
