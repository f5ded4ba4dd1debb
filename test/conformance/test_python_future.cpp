// CPython's test_future: the future's states and callbacks.
#include <doctest/doctest.h>

#include <exception>
#include <memory>
#include <plait/futures.hpp>
#include <thread>
#include <vector>

#include "../support/gate.hpp"
#include "../support/prepared_futures.hpp"
#include "../support/process_probe.hpp"

namespace plait::test {
namespace {

TEST_SUITE_BEGIN("conformance/test_future");

TEST_CASE(
    "add_done_callback: runs once with the future when a value is set [cpython "
    "test_future.test_done_callback_with_result]") {
  Promise<int> promise;
  const auto future = promise.get_future();
  std::vector<int> seen;
  future.add_done_callback([&](Future<int> done) {
    CHECK(done == future);
    seen.push_back(done.result());
  });
  promise.set_result(5);
  CHECK(seen == std::vector{5});
}

TEST_CASE(
    "add_done_callback: sees the very exception that was set [cpython "
    "test_future.test_done_callback_with_exception]") {
  Promise<int> promise;
  const auto error = std::make_exception_ptr(TestError("test"));
  std::exception_ptr seen;
  promise.get_future().add_done_callback([&](Future<int> done) { seen = done.exception(); });
  promise.set_exception(error);
  CHECK(seen == error);
}

TEST_CASE(
    "add_done_callback: has run when cancel() returns [cpython "
    "test_future.test_done_callback_with_cancel]") {
  Promise<int> promise;
  const auto future = promise.get_future();
  bool was_cancelled = false;
  future.add_done_callback([&](Future<int> done) { was_cancelled = done.cancelled(); });
  CHECK(future.cancel());
  CHECK(was_cancelled);
}

TEST_CASE(
    "add_done_callback: runs at once in the caller on a done future [cpython "
    "test_future.test_done_callback_already_successful] [cpython "
    "test_future.test_done_callback_already_failed] [cpython "
    "test_future.test_done_callback_already_cancelled]") {
  PreparedFutures futures;
  for (const auto& row : state_rows) {
    if (!row.done) continue;
    CAPTURE(row.name);
    const auto& future = futures.*row.future;
    std::thread::id ran_in;
    future.add_done_callback([&](Future<int> done) {
      ran_in = std::this_thread::get_id();
      CHECK(done == future);
      CHECK(done.cancelled() == row.cancelled);
    });
    CHECK(ran_in == std::this_thread::get_id());
  }
  CHECK(futures.succeeded.result() == 42);
  CHECK_THROWS_AS(futures.failed.result(), TestError);
}

TEST_CASE("cancel: the outcome depends on the state [cpython test_future.test_cancel]") {
  PreparedFutures futures;
  for (const auto& row : state_rows) {
    CAPTURE(row.name);
    const auto& future = futures.*row.future;
    CHECK(future.cancel() == row.cancel);
    CHECK(future.cancelled() == row.cancel);
    CHECK(future.running() == row.running);
    CHECK(future.done() == !row.running);
  }
  CHECK_FALSE(futures.pending_promise.set_running_or_notify_cancel());
  CHECK_FALSE(futures.pending_promise.set_running_or_notify_cancel());
}

TEST_CASE("cancelled: is true of cancelled futures only [cpython test_future.test_cancelled]") {
  PreparedFutures futures;
  for (const auto& row : state_rows) {
    CAPTURE(row.name);
    CHECK((futures.*row.future).cancelled() == row.cancelled);
  }
}

TEST_CASE("done: is false while pending or running only [cpython test_future.test_done]") {
  PreparedFutures futures;
  for (const auto& row : state_rows) {
    CAPTURE(row.name);
    CHECK((futures.*row.future).done() == row.done);
  }
}

TEST_CASE("running: is true while running only [cpython test_future.test_running]") {
  PreparedFutures futures;
  for (const auto& row : state_rows) {
    CAPTURE(row.name);
    CHECK((futures.*row.future).running() == row.running);
  }
}

TEST_CASE(
    "result: a timeout of 0 tells the states apart [cpython "
    "test_future.test_result_with_timeout]") {
  PreparedFutures futures;
  CHECK_THROWS_AS(futures.pending.result(0s), TimeoutError);
  CHECK_THROWS_AS(futures.running.result(0s), TimeoutError);
  CHECK_THROWS_AS(futures.cancelled.result(0s), CancelledError);
  CHECK_THROWS_AS(futures.notified.result(0s), CancelledError);
  CHECK_THROWS_WITH_AS(futures.failed.result(0s), "failed", TestError);
  CHECK(futures.succeeded.result(0s) == 42);
}

TEST_CASE(
    "result: a blocked caller gets the value set in another thread [cpython "
    "test_future.test_result_with_success]") {
  Promise<int> promise;
  const auto future = promise.get_future();
  int value = 0;
  ProbedThread caller([&] { value = future.result(5s); });
  caller.wait_until_asleep();
  promise.set_result(42);
  caller.join();
  CHECK(value == 42);
}

TEST_CASE(
    "result: a blocked caller gets CancelledError when another thread cancels [cpython "
    "test_future.test_result_with_cancel]") {
  Promise<int> promise;
  const auto future = promise.get_future();
  ProbedThread caller([&] { CHECK_THROWS_AS(future.result(), CancelledError); });
  caller.wait_until_asleep();
  CHECK(future.cancel());
}

TEST_CASE(
    "exception: a timeout of 0 tells the states apart [cpython "
    "test_future.test_exception_with_timeout]") {
  PreparedFutures futures;
  CHECK_THROWS_AS(futures.pending.exception(0s), TimeoutError);
  CHECK_THROWS_AS(futures.running.exception(0s), TimeoutError);
  CHECK_THROWS_AS(futures.cancelled.exception(0s), CancelledError);
  CHECK_THROWS_AS(futures.notified.exception(0s), CancelledError);
  CHECK_THROWS_AS(std::rethrow_exception(futures.failed.exception(0s)), TestError);
  CHECK(futures.succeeded.exception(0s) == nullptr);
}

TEST_CASE(
    "exception: a blocked caller gets the error set in another thread [cpython "
    "test_future.test_exception_with_success]") {
  Promise<int> promise;
  const auto future = promise.get_future();
  const auto error = std::make_exception_ptr(TestError("late"));
  std::exception_ptr seen;
  ProbedThread caller([&] { seen = future.exception(5s); });
  caller.wait_until_asleep();
  promise.set_exception(error);
  caller.join();
  CHECK(seen == error);
}

TEST_CASE(
    "set_result: a second one throws and changes nothing [cpython "
    "test_future.test_multiple_set_result]") {
  Promise<int> promise;
  promise.set_result(1);
  CHECK_THROWS_AS(promise.set_result(2), InvalidStateError);
  CHECK(promise.get_future().result() == 1);
}

TEST_CASE(
    "set_exception: a second one throws and changes nothing [cpython "
    "test_future.test_multiple_set_exception]") {
  Promise<int> promise;
  const auto error = std::make_exception_ptr(TestError("first"));
  promise.set_exception(error);
  CHECK_THROWS_AS(promise.set_exception(TestError("second")), InvalidStateError);
  CHECK(promise.get_future().exception() == error);
}

TEST_CASE(
    "add_done_callback: callbacks run in order, in the completing thread [cpython "
    "derived.cf_callback_order_and_thread]") {
  Promise<int> promise;
  const auto future = promise.get_future();
  std::vector<int> order;
  std::vector<std::thread::id> threads;
  const auto note = [&](int number) {
    return [&, number](const Future<int>&) {
      order.push_back(number);
      threads.push_back(std::this_thread::get_id());
    };
  };
  future.add_done_callback(note(1));
  future.add_done_callback(note(2));
  std::thread setter([&] { promise.set_result(0); });
  const auto setter_id = setter.get_id();
  setter.join();
  future.add_done_callback(note(3));
  CHECK(order == std::vector{1, 2, 3});
  CHECK(threads == std::vector{setter_id, setter_id, std::this_thread::get_id()});
}

TEST_CASE(
    "result: a timeout neither cancels nor alters the job [cpython "
    "derived.cf_result_timeout_harmless]") {
  Gate gate;
  ThreadPoolExecutor pool(1);
  const auto future = pool.submit([&] {
    gate.pass();
    return 7;
  });
  CHECK_THROWS_AS(future.result(5ms), TimeoutError);
  gate.open();
  CHECK(future.result() == 7);
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
