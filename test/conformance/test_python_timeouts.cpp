// CPython's test_timeouts.
// Left out: entering a scope twice or not at all, which timeout() makes impossible; scopes outside
// of a task, as every coroutine of a loop is in one; repr; what Python chains to an exception.
#include <doctest/doctest.h>

#include "support/loop_work.hpp"

namespace plait::test {
namespace {

using aio::Timeout;

TEST_SUITE_BEGIN("conformance/test_timeouts");

Coroutine<> strike(bool absolute) {
  const Stopwatch watch;
  const auto deadline = aio::get_running_loop().time() + milliseconds(10);
  std::optional<Timeout> scope;
  auto body = [&](Timeout& timeout) -> Coroutine<> {
    scope = timeout;
    co_await aio::sleep(seconds(10));
  };
  std::string ending;
  if (absolute) {
    ending = co_await ending_of(aio::timeout_at(deadline, body));
  } else {
    ending = co_await ending_of(aio::timeout(milliseconds(10), body));
  }
  CHECK(ending == "timeout");
  CHECK(scope->expired());
  CHECK(scope->when() == deadline);
  CHECK(watch.elapsed() == milliseconds(10));
}

TEST_CASE(
    "timeout: ends its body at the deadline [cpython test_timeouts.test_timeout_basic] [cpython "
    "test_timeouts.test_timeout_at_basic]") {
  run_virtual(strike(false));
  run_virtual(strike(true));
}

Coroutine<> nest() {
  const auto deadline = aio::get_running_loop().time() + milliseconds(10);
  std::optional<Timeout> outer, inner;
  std::string inner_ending;
  const auto ending = co_await ending_of(aio::timeout_at(deadline, [&](Timeout& o) -> Coroutine<> {
    outer = o;
    auto body = [&](Timeout& i) -> Coroutine<> {
      inner = i;
      co_await aio::sleep(seconds(10));
    };
    try {
      co_await aio::timeout_at(deadline, body);
    } catch (const CancelledError&) {
      inner_ending = "cancelled";
      throw;
    }
  }));
  CHECK(inner_ending == "cancelled");
  CHECK(ending == "timeout");
  CHECK(outer->expired());
  CHECK(inner->expired());
}

TEST_CASE(
    "timeout: of two with one deadline the outer one makes the TimeoutError [cpython "
    "test_timeouts.test_nested_timeouts]") {
  run_virtual(nest());
}

Coroutine<> see_cancellation() {
  int cancelled = 0;
  const auto ending =
      co_await ending_of(aio::timeout(milliseconds(10), [&](Timeout&) -> Coroutine<> {
        co_await count_cancel(seconds(10), cancelled);
      }));
  CHECK(cancelled == 1);
  CHECK(ending == "timeout");
}

TEST_CASE(
    "timeout: inside it is CancelledError, outside TimeoutError [cpython "
    "test_timeouts.test_waiter_cancelled]") {
  run_virtual(see_cancellation());
}

Coroutine<> finish_in_time() {
  const auto loop_time = [] { return aio::get_running_loop().time(); };
  std::optional<Timeout> scope;
  const int value = co_await aio::timeout(seconds(10), [&](Timeout& timeout) -> Coroutine<int> {
    scope = timeout;
    co_return co_await sleep_then(milliseconds(10), 7);
  });
  CHECK(value == 7);
  CHECK_FALSE(scope->expired());
  CHECK(*scope->when() > loop_time());
}

TEST_CASE(
    "timeout: does nothing to a body that is in time [cpython "
    "test_timeouts.test_timeout_not_called]") {
  run_virtual(finish_in_time());
}

Coroutine<> disable() {
  auto body = [](Timeout& timeout) -> Coroutine<> {
    CHECK_FALSE(timeout.when());
    co_await aio::sleep(milliseconds(10));
    CHECK_FALSE(timeout.expired());
  };
  co_await aio::timeout(std::nullopt, body);
  co_await aio::timeout_at(std::nullopt, body);
}

TEST_CASE("timeout: none never strikes [cpython test_timeouts.test_timeout_disabled]") {
  run_virtual(disable());
}

Coroutine<> strike_at_once(Duration delay) {
  const auto before = aio::get_running_loop().time();
  std::optional<Timeout> scope;
  const auto ending = co_await ending_of(aio::timeout(delay, [&](Timeout& t) -> Coroutine<> {
    scope = t;
    co_await aio::sleep(seconds(10));
  }));
  CHECK(ending == "timeout");
  CHECK(scope->expired());
  CHECK(*scope->when() <= aio::get_running_loop().time());
  CHECK(before == aio::get_running_loop().time());
}

TEST_CASE(
    "timeout: without time it strikes at the first wait [cpython "
    "test_timeouts.test_timeout_zero] [cpython test_timeouts.test_timeout_in_the_past]") {
  run_virtual(strike_at_once(Duration::zero()));
  run_virtual(strike_at_once(seconds(-11)));
}

Coroutine<> foreign_error() {
  std::optional<Timeout> scope;
  const auto ending = co_await ending_of(aio::timeout(seconds(10), [&](Timeout& t) -> Coroutine<> {
    scope = t;
    throw WorkError("mine");
    co_return;
  }));
  CHECK(ending == "mine");
  CHECK_FALSE(scope->expired());
}

TEST_CASE("timeout: lets other errors pass [cpython test_timeouts.test_foreign_exception_passed]") {
  run_virtual(foreign_error());
}

Coroutine<> foreign_cancel() {
  std::optional<Timeout> scope;
  const auto ending = co_await ending_of(aio::timeout(seconds(10), [&](Timeout& t) -> Coroutine<> {
    scope = t;
    aio::current_task()->cancel();
    co_await aio::sleep(seconds(10));
  }));
  CHECK(ending == "cancelled");
  CHECK_FALSE(scope->expired());
  aio::current_task()->uncancel();
}

TEST_CASE(
    "timeout: lets a foreign cancellation pass [cpython "
    "test_timeouts.test_foreign_cancel_doesnt_timeout_if_not_expired]") {
  run_virtual(foreign_cancel());
}

Coroutine<> outlive() {
  const auto task = aio::create_task(see_cancellation());
  co_await task;
  CHECK_FALSE(task.cancelled());
  CHECK(task.done());
}

TEST_CASE(
    "timeout: its task is not cancelled [cpython test_timeouts.test_outer_task_is_not_cancelled]") {
  run_virtual(outlive());
}

Coroutine<> rescheduled(std::optional<Timeout>& scope) {
  const auto start = aio::get_running_loop().time();
  co_await aio::timeout_at(start + seconds(10), [&scope, start](Timeout& timeout) -> Coroutine<> {
    scope = timeout;
    CHECK(timeout.when() == start + seconds(10));
    timeout.reschedule(start + seconds(20));
    CHECK(timeout.when() == start + seconds(20));
    timeout.reschedule(std::nullopt);
    CHECK_FALSE(timeout.when());
    co_await aio::sleep(seconds(100));
  });
}

Coroutine<> reschedule_and_cancel() {
  std::optional<Timeout> scope;
  const auto task = aio::create_task(rescheduled(scope));
  co_await aio::sleep(seconds(50));
  task.cancel();
  CHECK((co_await ending_of(await_task(task))) == "cancelled");
  CHECK_FALSE(scope->expired());
}

TEST_CASE("timeout: can be rescheduled [cpython test_timeouts.test_reschedule]") {
  run_virtual(reschedule_and_cancel());
}

Coroutine<> clean_up_with_timeout() {
  std::string cleanup;
  auto wait = [](Timeout&) -> Coroutine<> { co_await aio::sleep(seconds(1)); };
  const auto ending =
      co_await ending_of(aio::timeout(milliseconds(10), [&](Timeout&) -> Coroutine<> {
        std::exception_ptr error;
        try {
          co_await aio::sleep(seconds(1));
        } catch (...) {
          error = std::current_exception();
        }
        cleanup = co_await ending_of(aio::timeout(milliseconds(20), wait));
        std::rethrow_exception(error);
      }));
  CHECK(cleanup == "timeout");
  CHECK(ending == "timeout");
}

TEST_CASE(
    "timeout: works in the cleanup of another [cpython "
    "test_timeouts.test_nested_timeout_in_finally]") {
  run_virtual(clean_up_with_timeout());
}

Coroutine<> reschedule_late() {
  std::optional<Timeout> scope;
  auto keep = [&](Timeout& timeout) -> Coroutine<> {
    scope = timeout;
    co_await aio::sleep(milliseconds(20));
  };
  co_await aio::timeout(seconds(1), keep);
  CHECK_THROWS_WITH_AS(scope->reschedule(std::nullopt), "Cannot change state of finished Timeout",
                       RuntimeError);
  CHECK((co_await ending_of(aio::timeout(milliseconds(10), keep))) == "timeout");
  CHECK_THROWS_WITH_AS(scope->reschedule(std::nullopt), "Cannot change state of expired Timeout",
                       RuntimeError);
}

TEST_CASE(
    "timeout: cannot be rescheduled after its end [cpython "
    "test_timeouts.test_timeout_finished] [cpython test_timeouts.test_timeout_expired]") {
  run_virtual(reschedule_late());
}

Coroutine<> swallow() {
  std::optional<Timeout> scope;
  co_await aio::timeout(milliseconds(10), [&](Timeout& timeout) -> Coroutine<> {
    scope = timeout;
    co_await ending_of(nap_for(seconds(1)));
  });
  CHECK(scope->expired());
  CHECK(aio::current_task()->cancelling() == 0);
  co_await aio::yield();
}

TEST_CASE(
    "timeout: a body that swallows the cancellation ends without an error [cpython "
    "derived.timeout_swallowed_inside]") {
  run_virtual(swallow());
}

Coroutine<> reschedule_both_ways() {
  const Stopwatch watch;
  const auto start = aio::get_running_loop().time();
  auto earlier = [&](Timeout& timeout) -> Coroutine<> {
    timeout.reschedule(start + milliseconds(10));
    co_await aio::sleep(seconds(10));
  };
  CHECK((co_await ending_of(aio::timeout(seconds(1), earlier))) == "timeout");
  CHECK(watch.elapsed() == milliseconds(10));
  auto later = [&](Timeout& timeout) -> Coroutine<> {
    timeout.reschedule(start + seconds(2));
    co_await aio::sleep(seconds(1));
  };
  CHECK((co_await ending_of(aio::timeout(milliseconds(1), later))) == "value");
  auto due = [&](Timeout& timeout) -> Coroutine<> {
    timeout.reschedule(start);
    timeout.reschedule(start + seconds(60));
    co_await aio::sleep(seconds(1));
  };
  CHECK((co_await ending_of(aio::timeout(milliseconds(1), due))) == "value");
}

TEST_CASE(
    "timeout: the last deadline that was set counts [cpython "
    "derived.timeout_reschedule_takes_effect]") {
  run_virtual(reschedule_both_ways());
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
