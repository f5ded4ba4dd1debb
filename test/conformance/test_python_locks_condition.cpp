// CPython's test_locks: Condition. Left out: repr, pickling, locks of another kind.
#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <plait/aio.hpp>
#include <string>
#include <vector>

#include "support/on_loop.hpp"

namespace plait::test {
namespace {

using aio::create_task;
using aio::yield;
using Order = std::vector<int>;

TEST_SUITE_BEGIN("conformance/test_locks.Condition");

Coroutine<> wait_and_keep(aio::Condition& condition, Order& order, int number) {
  co_await condition.acquire();
  const bool notified = co_await condition.wait();
  CHECK(notified);
  order.push_back(number);
}

TEST_CASE(
    "wait: the notified take the lock one after the other [cpython "
    "test_locks.Condition.test_wait]") {
  on_loop([]() -> Coroutine<> {
    aio::Condition condition;
    Order order;
    for (const int number : {1, 2, 3}) create_task(wait_and_keep(condition, order, number));
    co_await yield();
    CHECK_FALSE(condition.locked());
    co_await condition.acquire();
    condition.notify();
    co_await ticks(2);
    CHECK(order.empty());
    condition.release();
    co_await yield();
    CHECK(order == Order{1});
    CHECK(condition.locked());
    condition.notify(2);
    co_await ticks(2);
    CHECK(order == Order{1});
    condition.release();
    co_await yield();
    CHECK(order == Order{1, 2});
    condition.release();
    co_await yield();
    CHECK(order == Order{1, 2, 3});
    CHECK(condition.locked());
    condition.release();
  });
}

TEST_CASE(
    "wait: throws when cancelled, with the lock taken again [cpython "
    "test_locks.Condition.test_wait_cancel]") {
  on_loop([]() -> Coroutine<> {
    aio::Condition condition;
    co_await condition.acquire();
    const auto waiter = create_task(condition.wait());
    co_await yield();
    CHECK_FALSE(condition.locked());
    waiter.cancel();
    co_await settle(waiter);
    CHECK(waiter.cancelled());
    CHECK(condition.locked());
    condition.notify();
    condition.release();
  });
}

TEST_CASE(
    "wait, notify, notify_all: need the lock [cpython test_locks.Condition.test_wait_unacquired]") {
  on_loop([]() -> Coroutine<> {
    aio::Condition condition;
    CHECK(co_await throws<RuntimeError>(condition.wait()));
    CHECK_THROWS_AS(condition.notify(), RuntimeError);
    CHECK_THROWS_AS(condition.notify_all(), RuntimeError);
  });
}

Coroutine<> wait_until(aio::Condition& condition, const bool& presumed, bool& done) {
  const auto guard = co_await condition.scoped();
  done = co_await condition.wait_for([&presumed] { return presumed; });
}

TEST_CASE(
    "wait_for: goes on once the predicate is true [cpython test_locks.Condition.test_wait_for]") {
  on_loop([]() -> Coroutine<> {
    aio::Condition condition;
    bool presumed = false, done = false;
    const auto task = create_task(wait_until(condition, presumed, done));
    co_await yield();
    for (const bool value : {false, true}) {
      presumed = value;
      co_await condition.acquire();
      condition.notify();
      condition.release();
      co_await ticks(2);
      CHECK(done == value);
    }
    CHECK(task.done());
  });
}

TEST_CASE(
    "wait_for: needs the lock only if it has to wait [cpython "
    "test_locks.Condition.test_wait_for_unacquired]") {
  on_loop([]() -> Coroutine<> {
    aio::Condition condition;
    CHECK(co_await condition.wait_for([] { return true; }));
    CHECK(co_await throws<RuntimeError>(condition.wait_for([] { return false; })));
  });
}

Coroutine<> wait_and_release(aio::Condition& condition, Order& order, int number) {
  const auto guard = co_await condition.scoped();
  co_await condition.wait();
  order.push_back(number);
}

Coroutine<> notify_locked(aio::Condition& condition, std::size_t n) {
  const auto guard = co_await condition.scoped();
  condition.notify(n);
}

TEST_CASE(
    "notify: wakes as many as it is told, in their order [cpython "
    "test_locks.Condition.test_notify]") {
  on_loop([]() -> Coroutine<> {
    aio::Condition condition;
    Order order;
    for (const int number : {1, 2, 3}) create_task(wait_and_release(condition, order, number));
    co_await yield();
    co_await notify_locked(condition, 1);
    co_await ticks(3);
    CHECK(order == Order{1});
    co_await notify_locked(condition, 1);
    co_await notify_locked(condition, 2048);
    co_await ticks(4);
    CHECK(order == Order{1, 2, 3});
  });
}

TEST_CASE("notify: is not remembered [derived.cond_notify_not_remembered]") {
  on_loop([]() -> Coroutine<> {
    aio::Condition condition;
    Order order;
    co_await notify_locked(condition, 5);
    const auto task = create_task(wait_and_release(condition, order, 1));
    co_await ticks(3);
    CHECK_FALSE(task.done());
    co_await notify_locked(condition, 1);
    co_await task;
  });
}

TEST_CASE("notify_all: wakes all in their order [cpython test_locks.Condition.test_notify_all]") {
  on_loop([]() -> Coroutine<> {
    aio::Condition condition;
    Order order;
    const auto t1 = create_task(wait_and_release(condition, order, 1));
    const auto t2 = create_task(wait_and_release(condition, order, 2));
    co_await yield();
    co_await condition.acquire();
    condition.notify_all();
    condition.release();
    co_await settle(t1, t2);
    CHECK(order == Order{1, 2});
  });
}

TEST_CASE(
    "scoped: the lock is held to the end of the scope [cpython "
    "test_locks.Condition.test_context_manager]") {
  on_loop([]() -> Coroutine<> {
    aio::Condition condition;
    CHECK_FALSE(condition.locked());
    {
      const auto guard = co_await condition.scoped();
      CHECK(condition.locked());
    }
    CHECK_FALSE(condition.locked());
  });
}

TEST_CASE(
    "Condition: the lock it was given is its lock [cpython "
    "test_locks.Condition.test_explicit_lock]") {
  on_loop([]() -> Coroutine<> {
    const auto lock = std::make_shared<aio::Lock>();
    aio::Condition condition(lock);
    co_await lock->acquire();
    CHECK((lock->locked() && condition.locked()));
    condition.release();
    CHECK((!lock->locked() && !condition.locked()));
    co_await condition.acquire();
    CHECK((lock->locked() && condition.locked()));
    lock->release();
    CHECK((!lock->locked() && !condition.locked()));
  });
}

// The timeout is a timer that cancels, as wait_for() is one.
TEST_CASE(
    "wait: after a timeout the scope still has the lock [cpython "
    "test_locks.Condition.test_timeout_in_block]") {
  on_loop([]() -> Coroutine<> {
    aio::Condition condition;
    const auto guard = co_await condition.scoped();
    const auto waiter = create_task(condition.wait());
    aio::get_running_loop().call_later(std::chrono::milliseconds(500), [&] { waiter.cancel(); });
    co_await settle(waiter);
    CHECK(waiter.cancelled());
    CHECK(condition.locked());
  });
}

Coroutine<std::string> reason_of_cancellation(aio::Condition& condition) {
  const auto guard = co_await condition.scoped();
  try {
    co_await condition.wait();
  } catch (const CancelledError& error) {
    CHECK(condition.locked());
    co_return error.message();
  }
  co_return "none";
}

TEST_CASE(
    "wait: throws the very error of the cancellation [cpython "
    "test_locks.Condition.test_cancelled_error_wakeup]") {
  on_loop([]() -> Coroutine<> {
    aio::Condition condition;
    const auto free = create_task(reason_of_cancellation(condition));
    const auto held = create_task(reason_of_cancellation(condition));
    co_await yield();
    free.cancel("first");
    CHECK(co_await free == "first");
    co_await condition.acquire();
    held.cancel("second");
    co_await ticks(2);
    CHECK_FALSE(held.done());
    condition.release();
    CHECK(co_await held == "second");
    CHECK_FALSE(condition.locked());
  });
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
