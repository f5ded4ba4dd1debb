// CPython's test_waitfor.
#include <doctest/doctest.h>

#include "support/loop_work.hpp"

namespace plait::test {
namespace {

TEST_SUITE_BEGIN("conformance/test_waitfor");

// Goes on for `more` after a cancellation, and ends with a value; or passes it on then.
Coroutine<int> stubborn(Duration time, Duration more, bool rethrow, int& ended) {
  std::exception_ptr error;
  try {
    co_await aio::sleep(time);
  } catch (const CancelledError&) {
    error = std::current_exception();
  }
  if (error) co_await aio::sleep(more);
  ++ended;
  if (error && rethrow) std::rethrow_exception(error);
  co_return 7;
}

Coroutine<> cancel_waiter() {
  const Stopwatch watch;
  int ended = 0;
  const auto inner = aio::create_task(stubborn(milliseconds(300), milliseconds(200), false, ended));
  const auto waiter = aio::create_task(aio::wait_for(inner, milliseconds(400)));
  co_await aio::sleep(milliseconds(100));
  waiter.cancel();
  co_await aio::yield();
  CHECK_FALSE(waiter.done());
  co_await ending_of(await_task(waiter));
  CHECK(inner.done());
  CHECK(watch.elapsed() == milliseconds(300));
}

TEST_CASE(
    "wait_for: when it is cancelled it ends after the task [cpython "
    "test_waitfor.test_asyncio_wait_for_cancelled]") {
  run_virtual(cancel_waiter());
}

Coroutine<> time_out_slowly() {
  const Stopwatch watch;
  int ended = 0;
  const auto inner = aio::create_task(stubborn(milliseconds(300), milliseconds(100), false, ended));
  CHECK((co_await aio::wait_for(inner, milliseconds(100))) == 7);
  CHECK(watch.elapsed() == milliseconds(200));
  CHECK(ended == 1);
  CHECK(aio::current_task()->cancelling() == 0);
}

TEST_CASE(
    "wait_for: after the timeout it waits for the task's end, and takes its value [cpython "
    "test_waitfor.test_asyncio_wait_for_timeout]") {
  run_virtual(time_out_slowly());
}

Coroutine<> take_what_is_done() {
  auto promise = aio::get_running_loop().create_promise<int>();
  promise.set_result(5);
  CHECK((co_await aio::wait_for(promise.get_future(), Duration::zero())) == 5);
  auto failed = aio::get_running_loop().create_promise<int>();
  failed.set_exception(WorkError("done"));
  CHECK((co_await ending_of(aio::wait_for(failed.get_future(), seconds(-1)))) == "done");
}

TEST_CASE(
    "wait_for: without time a done future gives its result [cpython "
    "test_waitfor.test_wait_for_timeout_0_future_done]") {
  run_virtual(take_what_is_done());
}

Coroutine<> no_time(Duration timeout) {
  int cancelled = 0;
  const auto task = aio::create_task(count_cancel(seconds(10), cancelled));
  co_await aio::sleep(milliseconds(100));
  const Stopwatch watch;
  CHECK((co_await ending_of(aio::wait_for(task, timeout))) == "timeout");
  CHECK(task.cancelled());
  CHECK(cancelled == 1);
  CHECK(watch.elapsed() == Duration::zero());
}

Coroutine<> no_time_for_coroutine() {
  bool started = false;
  auto body = [](bool& flag) -> Coroutine<int> {
    flag = true;
    co_return 1;
  };
  CHECK((co_await ending_of(aio::wait_for(body(started), Duration::zero()))) == "timeout");
  CHECK_FALSE(started);
}

TEST_CASE(
    "wait_for: without time it cancels the task, and a coroutine never starts [cpython "
    "test_waitfor.test_wait_for_timeout_less_then_0_or_0] [cpython "
    "test_waitfor.test_wait_for_timeout_less_then_0_or_0_coroutine_do_not_started]") {
  run_virtual(no_time(Duration::zero()));
  run_virtual(no_time(seconds(-1)));
  run_virtual(no_time_for_coroutine());
}

Coroutine<> time_out() {
  const Stopwatch watch;
  int cancelled = 0;
  const auto task = aio::create_task(count_cancel(seconds(10), cancelled));
  CHECK((co_await ending_of(aio::wait_for(task, milliseconds(100)))) == "timeout");
  CHECK(task.cancelled());
  CHECK(cancelled == 1);
  CHECK(watch.elapsed() == milliseconds(100));
}

TEST_CASE("wait_for: the timeout cancels the task [cpython test_waitfor.test_wait_for]") {
  run_virtual(time_out());
}

Coroutine<> wait_for_ever() {
  CHECK((co_await aio::wait_for(sleep_then(seconds(1000), 3), std::nullopt)) == 3);
  co_await aio::wait_for(nap_for(seconds(1)), std::nullopt);
}

TEST_CASE(
    "wait_for: waits as long as it takes without a timeout [cpython "
    "test_waitfor.test_wait_for_blocking]") {
  run_virtual(wait_for_ever());
}

Coroutine<> set_in_next_iteration() {
  auto& loop = aio::get_running_loop();
  auto promise = loop.create_promise<int>();
  loop.call_soon([promise]() mutable { promise.set_result(9); });
  CHECK((co_await aio::wait_for(promise.get_future(), milliseconds(200))) == 9);
}

TEST_CASE(
    "wait_for: takes a value that comes in the next iteration [cpython "
    "test_waitfor.test_wait_for_race_condition]") {
  run_virtual(set_in_next_iteration());
}

Coroutine<> wait_for_cleanup(Duration timeout) {
  int ended = 0;
  const auto inner = aio::create_task(stubborn(seconds(10), milliseconds(200), true, ended));
  co_await aio::yield();
  CHECK((co_await ending_of(aio::wait_for(inner, timeout))) == "timeout");
  CHECK(inner.done());
  CHECK(ended == 1);
}

TEST_CASE(
    "wait_for: TimeoutError comes after the task's cleanup [cpython "
    "test_waitfor.test_wait_for_waits_for_task_cancellation] [cpython "
    "test_waitfor.test_wait_for_waits_for_task_cancellation_w_timeout_0]") {
  run_virtual(wait_for_cleanup(milliseconds(100)));
  run_virtual(wait_for_cleanup(Duration::zero()));
}

Coroutine<> cancel_blocking(std::optional<Duration> timeout) {
  int cancelled = 0;
  const auto inner = aio::create_task(count_cancel(seconds(30), cancelled));
  const auto waiter = aio::create_task(aio::wait_for(inner, timeout));
  co_await settle();
  waiter.cancel();
  CHECK((co_await ending_of(await_task(waiter))) == "cancelled");
  CHECK(inner.cancelled());
}

TEST_CASE(
    "wait_for: its cancellation cancels the task [cpython "
    "test_waitfor.test_cancel_blocking_wait_for] [cpython test_waitfor.test_cancel_wait_for]") {
  run_virtual(cancel_blocking(std::nullopt));
  run_virtual(cancel_blocking(seconds(60)));
}

Coroutine<> shielded() {
  const auto task = aio::create_task(sleep_then(milliseconds(100), std::string("done")));
  CHECK((co_await ending_of(aio::wait_for(aio::shield(task), milliseconds(10)))) == "timeout");
  CHECK_FALSE(task.done());
  CHECK((co_await aio::wait_for(aio::shield(task), std::nullopt)) == "done");
}

TEST_CASE(
    "wait_for: a shielded task outlives the timeout [cpython "
    "test_waitfor.Shield.test_none_timeout] [cpython test_waitfor.Shield.test_shielded_timeout]") {
  run_virtual(shielded());
}

Coroutine<> leave_no_trace() {
  CHECK((co_await ending_of(aio::wait_for(nap_for(seconds(1)), milliseconds(1)))) == "timeout");
  CHECK(aio::current_task()->cancelling() == 0);
  CHECK((co_await ending_of(aio::wait_for(fail_after(milliseconds(1), "own"), seconds(1)))) ==
        "own");
  co_await aio::yield();
}

TEST_CASE(
    "wait_for: leaves no cancellation behind, and lets errors pass [cpython "
    "derived.wait_for_leaves_no_cancel]") {
  run_virtual(leave_no_trace());
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
