// Future's own semantics: handles, values, timeouts; what CPython shares is in conformance/.
#include <doctest/doctest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <plait/futures.hpp>
#include <string>
#include <type_traits>
#include <vector>

#include "../support/lifetime_tracked.hpp"
#include "../support/log_capture.hpp"
#include "../support/prepared_futures.hpp"
#include "../support/process_probe.hpp"

namespace plait::test {
namespace {

TEST_SUITE_BEGIN("core/future");

TEST_CASE("Future: a handle without a state answers queries and refuses the rest with advice") {
  const Future<int> empty;
  CHECK_FALSE(empty.valid());
  CHECK_FALSE(empty.done());
  CHECK_FALSE(empty.running());
  CHECK_FALSE(empty.cancelled());
  const std::function<void()> members[] = {
      [&] { empty.result(); },
      [&] { empty.result(1s); },
      [&] { static_cast<void>(Future<int>().result()); },
      [&] { static_cast<void>(empty.take()); },
      [&] { static_cast<void>(empty.exception()); },
      [&] { static_cast<void>(empty.exception(1s)); },
      [&] { static_cast<void>(empty.outcome()); },
      [&] { empty.wait(); },
      [&] { static_cast<void>(empty.wait_for(1s)); },
      [&] { empty.cancel(); },
      [&] { empty.request_stop(); },
      [&] { empty.add_done_callback([](const Future<int>&) {}); },
      [&] { empty.remove_done_callback(CallbackId{1}); },
  };
  for (const auto& member : members) {
    const auto text = text_of<InvalidStateError>(member);
    CAPTURE(text);
    CHECK(text.size() > 20);
  }
}

TEST_CASE("Future: copies share one state, and handles compare by it") {
  Promise<int> promise, other;
  const auto future = promise.get_future();
  const auto copy = future;
  CHECK(copy == future);
  CHECK(promise.get_future() == future);
  CHECK(other.get_future() != future);
  CHECK(Future<int>() == Future<int>());
  promise.set_result(1);
  CHECK(copy.result() == 1);
}

TEST_CASE("Future: a moved-from handle has no state") {
  Promise<int> promise;
  auto future = promise.get_future();
  const auto target = std::move(future);
  CHECK(target.valid());
  CHECK_FALSE(future.valid());  // NOLINT(bugprone-use-after-move)
}

TEST_CASE("result: on an lvalue gives a reference to the one value, without a copy") {
  LifetimeCounts counts;
  Promise<LifetimeTracked> promise;
  promise.set_result(LifetimeTracked(counts));
  const auto future = promise.get_future();
  const auto copy = future;
  static_assert(std::is_same_v<decltype(future.result()), const LifetimeTracked&>);
  CHECK(&future.result() == &copy.result());
  CHECK(counts.copies == 0);
}

TEST_CASE("result: on the last handle, a temporary, moves the value out") {
  LifetimeCounts counts;
  auto future = [&] {
    Promise<LifetimeTracked> promise;
    promise.set_result(LifetimeTracked(counts));
    return promise.get_future();
  }();
  static_assert(std::is_same_v<decltype(std::move(future).result()), LifetimeTracked>);
  const auto value = std::move(future).result();
  CHECK(counts.copies == 0);
}

TEST_CASE("result: on a temporary beside other handles copies the value") {
  LifetimeCounts counts;
  Promise<LifetimeTracked> promise;
  promise.set_result(LifetimeTracked(counts));
  const auto kept = promise.get_future();
  const auto value = promise.get_future().result();
  CHECK(counts.copies == 1);
  CHECK(counts.live == 2);
}

TEST_CASE("result: on a temporary moves a value that cannot be copied, other handles or not") {
  Promise<std::unique_ptr<int>> promise;
  const auto kept = promise.get_future();
  promise.set_result(std::make_unique<int>(3));
  CHECK(*promise.get_future().result() == 3);
  CHECK(kept.result() == nullptr);
}

TEST_CASE("take: moves the value out and leaves a moved-from one") {
  Promise<std::string> promise;
  promise.set_result("a text that is too long for the small buffer");
  const auto future = promise.get_future();
  CHECK(future.take() == "a text that is too long for the small buffer");
  CHECK(future.done());
  CHECK(future.result().empty());
}

TEST_CASE("take: throws what the work threw") {
  PreparedFutures prepared;
  CHECK_THROWS_AS(static_cast<void>(prepared.failed.take()), TestError);
  CHECK_THROWS_AS(static_cast<void>(prepared.cancelled.take()), CancelledError);
}

TEST_CASE("result: of Future<void> returns nothing or throws") {
  Promise<void> good, bad;
  good.set_result();
  bad.set_exception(TestError("void"));
  static_assert(std::is_void_v<decltype(good.get_future().result())>);
  CHECK_NOTHROW(good.get_future().result());
  CHECK_NOTHROW(good.get_future().take());
  CHECK_THROWS_AS(bad.get_future().result(), TestError);
}

TEST_CASE("result: throws the same exception object to every caller") {
  PreparedFutures prepared;
  const auto address = [&]() -> const void* {
    try {
      prepared.failed.result();
    } catch (const TestError& error) {
      return &error;
    }
    return nullptr;
  };
  CHECK(address() != nullptr);
  CHECK(address() == address());
}

TEST_CASE("Future: keeps a value that can be neither copied nor moved") {
  struct Rooted {
    explicit Rooted(int given) : number(given) {}
    Rooted(const Rooted&) = delete;
    Rooted& operator=(const Rooted&) = delete;
    int number;
  };
  Promise<Rooted> promise;
  promise.set_result(9);
  const auto future = promise.get_future();
  CHECK(future.result().number == 9);
}

TEST_CASE("wait_for: says whether the future is done") {
  PreparedFutures prepared;
  for (const auto& row : state_rows) {
    CAPTURE(row.name);
    CHECK((prepared.*row.future).wait_for(0s) == row.done);
    CHECK((prepared.*row.future).wait_for(1ms) == row.done);
  }
}

TEST_CASE("result: a timeout in the past or near the end of time is handled") {
  using std::chrono::hours;
  PreparedFutures prepared;
  CHECK_THROWS_AS(prepared.pending.result(-5s), TimeoutError);
  CHECK_THROWS_AS(prepared.pending.result(hours::min()), TimeoutError);
  CHECK_FALSE(prepared.pending.wait_for(Duration::min()));
  CHECK(prepared.succeeded.result(-5s) == 42);
  CHECK(prepared.succeeded.result(std::chrono::duration<double>(1e300)) == 42);
  int value = 0;
  ProbedThread caller([&] { value = prepared.pending.result(hours::max()); });
  caller.wait_until_asleep();
  prepared.pending_promise.set_result(8);
  caller.join();
  CHECK(value == 8);
}

TEST_CASE("result: a timeout's text says what to do") {
  PreparedFutures prepared;
  const auto text = text_of<TimeoutError>([&] { prepared.pending.result(0s); });
  CAPTURE(text);
  CHECK(text.size() > 20);
}

TEST_CASE("wait: several blocked threads all wake") {
  Promise<int> promise;
  const auto future = promise.get_future();
  std::atomic<int> sum = 0;
  const auto add = [&] { sum += future.result(); };
  ProbedThread first(add), second(add), third(add);
  for (const auto* thread : {&first, &second, &third}) thread->wait_until_asleep();
  promise.set_result(5);
  for (auto* thread : {&first, &second, &third}) thread->join();
  CHECK(sum == 15);
}

TEST_CASE("wait: returns whatever the outcome") {
  PreparedFutures prepared;
  CHECK_NOTHROW(prepared.failed.wait());
  CHECK_NOTHROW(prepared.cancelled.wait());
  CHECK_NOTHROW(prepared.succeeded.wait());
}

TEST_CASE("request_stop: cancels what is pending and reports what it reached") {
  PreparedFutures prepared;
  CHECK(prepared.pending.request_stop());
  CHECK(prepared.pending.cancelled());
  CHECK_FALSE(prepared.running.request_stop());
  CHECK(prepared.running.running());
  CHECK_FALSE(prepared.succeeded.request_stop());
  CHECK_FALSE(prepared.failed.request_stop());
}

TEST_CASE("outcome: tells value, error and cancellation apart") {
  PreparedFutures prepared;
  CHECK(prepared.succeeded.outcome().has_value());
  CHECK(prepared.succeeded.outcome().value() == 42);
  CHECK(prepared.succeeded.outcome().exception() == nullptr);
  CHECK_FALSE(prepared.failed.outcome().has_value());
  CHECK(prepared.failed.outcome().exception() == prepared.failed.exception());
  CHECK_THROWS_AS(prepared.failed.outcome().value(), TestError);
  CHECK_FALSE(prepared.cancelled.outcome().has_value());
  CHECK_THROWS_AS(prepared.cancelled.outcome().value(), CancelledError);
  CHECK_THROWS_AS(static_cast<void>(prepared.pending.outcome()), InvalidStateError);
  CHECK_THROWS_AS(static_cast<void>(prepared.running.outcome()), InvalidStateError);
}

TEST_CASE("outcome: of Future<void> has a value that is nothing") {
  Promise<void> promise;
  promise.set_result();
  CHECK(promise.get_future().outcome().has_value());
  CHECK_NOTHROW(promise.get_future().outcome().value());
}

TEST_CASE("result: makes visible all that was written before set_result") {
  for (int round = 0; round < 200; ++round) {
    Promise<void> promise;
    int plain = 0;
    ProbedThread setter([&] {
      plain = round + 1;
      promise.set_result();
    });
    promise.get_future().result();
    CHECK(plain == round + 1);
  }
}

TEST_CASE("Future: frees the value with the last handle") {
  LifetimeCounts counts;
  Future<LifetimeTracked> last;
  {
    Promise<LifetimeTracked> promise;
    promise.set_result(LifetimeTracked(counts));
    last = promise.get_future();
  }
  CHECK(counts.live == 1);
  last = {};
  CHECK(counts.live == 0);
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
