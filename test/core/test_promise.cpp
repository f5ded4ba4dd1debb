// Promise: the producer's side of a future.
#include <doctest/doctest.h>

#include <memory>
#include <plait/futures.hpp>
#include <stdexcept>
#include <string>
#include <utility>

#include "../support/lifetime_tracked.hpp"
#include "../support/log_capture.hpp"
#include "../support/prepared_futures.hpp"
#include "../support/process_probe.hpp"

namespace plait::test {
namespace {

struct MayThrow {
  explicit MayThrow(bool should_throw) {
    if (should_throw) throw TestError("no value");
  }
};

TEST_SUITE_BEGIN("core/promise");

TEST_CASE("set_running_or_notify_cancel: the answer depends on the state") {
  PreparedFutures prepared;
  CHECK(prepared.pending_promise.set_running_or_notify_cancel());
  CHECK(prepared.pending.running());
  CHECK_THROWS_AS(prepared.running_promise.set_running_or_notify_cancel(), InvalidStateError);
  CHECK_FALSE(prepared.cancelled_promise.set_running_or_notify_cancel());
  CHECK_FALSE(prepared.notified_promise.set_running_or_notify_cancel());
  CHECK_THROWS_AS(prepared.failed_promise.set_running_or_notify_cancel(), InvalidStateError);
  CHECK_THROWS_AS(prepared.succeeded_promise.set_running_or_notify_cancel(), InvalidStateError);
  prepared.pending_promise.set_result(0);
}

TEST_CASE("set_result: is refused with advice once cancelled or done") {
  PreparedFutures prepared;
  for (auto* promise : {&prepared.cancelled_promise, &prepared.notified_promise,
                        &prepared.failed_promise, &prepared.succeeded_promise}) {
    const auto text = text_of<InvalidStateError>([&] { promise->set_result(1); });
    CHECK(text.size() > 20);
    CHECK_THROWS_AS(promise->set_exception(TestError("x")), InvalidStateError);
  }
  CHECK(prepared.cancelled.cancelled());
  CHECK(prepared.succeeded.result() == 42);
}

TEST_CASE("set_result: makes the value in place from its arguments") {
  Promise<std::string> promise;
  promise.set_result(3, 'x');
  CHECK(promise.get_future().result() == "xxx");
  LifetimeCounts counts;
  Promise<LifetimeTracked> tracked;
  tracked.set_result(counts);
  CHECK(counts.moves == 0);
  CHECK(counts.live == 1);
}

TEST_CASE("set_result: an error of the value's constructor leaves the future as it was") {
  Promise<MayThrow> promise;
  const auto future = promise.get_future();
  CHECK_THROWS_AS(promise.set_result(true), TestError);
  CHECK_FALSE(future.done());
  CHECK_FALSE(future.running());
  CHECK(promise.set_running_or_notify_cancel());
  CHECK_THROWS_AS(promise.set_result(true), TestError);
  CHECK(future.running());
  promise.set_result(false);
  CHECK(future.exception() == nullptr);
}

TEST_CASE("set_exception: takes an exception or a pointer to one") {
  Promise<int> by_value, by_pointer, odd;
  by_value.set_exception(TestError("value"));
  by_pointer.set_exception(std::make_exception_ptr(TestError("pointer")));
  odd.set_exception(5);
  CHECK_THROWS_WITH_AS(by_value.get_future().result(), "value", TestError);
  CHECK_THROWS_WITH_AS(by_pointer.get_future().result(), "pointer", TestError);
  CHECK_THROWS_AS(odd.get_future().result(), int);
}

TEST_CASE("set_exception: refuses a null pointer") {
  Promise<int> promise;
  CHECK_THROWS_AS(promise.set_exception(std::exception_ptr()), std::invalid_argument);
  CHECK_FALSE(promise.get_future().done());
  promise.set_result(1);
}

TEST_CASE("set_exception: CancelledError makes the future cancelled") {
  Promise<int> promise;
  promise.set_exception(CancelledError("reason"));
  const auto future = promise.get_future();
  CHECK(future.cancelled());
  CHECK(text_of<CancelledError>([&] { future.result(); }) == "reason");
}

TEST_CASE("Promise: the destruction of the last copy fails a future that was not resolved") {
  Future<int> future;
  {
    Promise<int> promise;
    future = promise.get_future();
    {
      const Promise<int> copy = promise;
      CHECK(copy.get_future() == future);
    }
    CHECK_FALSE(future.done());
  }
  CHECK(future.done());
  const auto text = text_of<InvalidStateError>([&] { future.result(); });
  CHECK(text.size() > 20);
}

TEST_CASE("Promise: its destruction wakes a blocked thread") {
  auto promise = std::make_unique<Promise<int>>();
  const auto future = promise->get_future();
  ProbedThread caller([&] { CHECK_THROWS_AS(future.result(), InvalidStateError); });
  caller.wait_until_asleep();
  promise.reset();
}

TEST_CASE("Promise: its destruction after running fails the future too") {
  Future<void> future;
  {
    Promise<void> promise;
    future = promise.get_future();
    promise.set_running_or_notify_cancel();
  }
  CHECK_THROWS_AS(future.result(), InvalidStateError);
}

TEST_CASE("Promise: its destruction leaves a resolved or cancelled future alone") {
  Future<int> resolved, cancelled;
  {
    Promise<int> first, second;
    resolved = first.get_future();
    cancelled = second.get_future();
    first.set_result(1);
    cancelled.cancel();
  }
  CHECK(resolved.result() == 1);
  CHECK(cancelled.cancelled());
}

TEST_CASE("Promise: one that was never asked for its future is silent when destroyed") {
  const LogCapture log;
  {
    const Promise<int> promise;
  }
  CHECK(log.size() == 0);
}

TEST_CASE("Promise: a copy resolves the same future") {
  Promise<int> promise;
  auto copy = promise;
  copy.set_result(5);
  CHECK(promise.get_future().result() == 5);
  CHECK_THROWS_AS(promise.set_result(6), InvalidStateError);
}

TEST_CASE("Promise: a moved-from one refuses every call") {
  Promise<int> promise;
  auto target = std::move(promise);
  CHECK_THROWS_AS(static_cast<void>(promise.get_future()),  // NOLINT(bugprone-use-after-move)
                  InvalidStateError);
  CHECK_THROWS_AS(promise.set_result(1), InvalidStateError);
  target.set_result(2);
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
