// CPython's test_locks: Lock, Event, Semaphore. Left out: repr, the loop= argument.
#include <doctest/doctest.h>

#include <concepts>
#include <plait/aio.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/on_loop.hpp"

namespace plait::test {
namespace {

using aio::create_task;
using aio::yield;
using Order = std::vector<int>;

TEST_SUITE_BEGIN("conformance/test_locks");

template <class Guarded>
Coroutine<> acquire_and_note(Guarded& guarded, Order& order, int number) {
  const bool acquired = co_await guarded.acquire();  // CHECK would swallow a CancelledError
  CHECK(acquired);
  order.push_back(number);
}

// ---------------------------------------------------------------- Lock

TEST_CASE(
    "acquire: waiting tasks get the lock in strict order [cpython test_locks.Lock.test_acquire]") {
  on_loop([]() -> Coroutine<> {
    aio::Lock lock;
    Order order;
    CHECK(co_await lock.acquire());
    const auto t1 = create_task(acquire_and_note(lock, order, 1));
    const auto t2 = create_task(acquire_and_note(lock, order, 2));
    co_await yield();
    CHECK(order.empty());
    lock.release();
    co_await yield();
    CHECK(order == Order{1});
    co_await yield();
    CHECK(order == Order{1});
    const auto t3 = create_task(acquire_and_note(lock, order, 3));
    lock.release();
    co_await ticks(2);
    CHECK(order == Order{1, 2});
    lock.release();
    co_await ticks(2);
    CHECK(order == Order{1, 2, 3});
    CHECK((t1.done() && t2.done() && t3.done()));
  });
}

TEST_CASE(
    "acquire: a cancelled waiter leaves the line [cpython test_locks.Lock.test_acquire_cancel]") {
  on_loop([]() -> Coroutine<> {
    aio::Lock lock;
    co_await lock.acquire();
    const auto task = create_task(lock.acquire());
    co_await yield();
    task.cancel();
    co_await settle(task);
    CHECK(task.cancelled());
    lock.release();
    CHECK_FALSE(lock.locked());
  });
}

Coroutine<> lock_while(aio::Lock& lock, Future<void> blocker) {
  const auto guard = co_await lock.scoped();
  co_await blocker;
}

TEST_CASE(
    "release: skips a waiter that is cancelled in the same tick [cpython "
    "test_locks.Lock.test_cancel_race]") {
  on_loop([]() -> Coroutine<> {
    aio::Lock lock;
    auto& loop = aio::get_running_loop();
    auto go = loop.create_promise(), done = loop.create_promise();
    done.set_result();
    const auto a = create_task(lock_while(lock, go.get_future()));
    co_await yield();
    CHECK(lock.locked());
    const auto b = create_task(lock_while(lock, done.get_future()));
    const auto c = create_task(lock_while(lock, done.get_future()));
    co_await ticks(2);
    go.set_result();
    b.cancel();
    co_await settle(a, b);
    CHECK((a.done() && !a.cancelled()));
    CHECK(b.cancelled());
    co_await c;
    CHECK_FALSE(lock.locked());
  });
}

TEST_CASE(
    "release: of an unlocked lock is an error [cpython "
    "test_locks.Lock.test_release_not_acquired]") {
  aio::Lock lock;
  CHECK_THROWS_AS(lock.release(), RuntimeError);
}

TEST_CASE(
    "release: without waiters the lock is free [cpython test_locks.Lock.test_release_no_waiters]") {
  on_loop([]() -> Coroutine<> {
    aio::Lock lock;
    co_await lock.acquire();
    CHECK(lock.locked());
    lock.release();
    CHECK_FALSE(lock.locked());
  });
}

TEST_CASE(
    "scoped: the lock is held to the end of the scope [cpython "
    "test_locks.Lock.test_context_manager]") {
  on_loop([]() -> Coroutine<> {
    aio::Lock lock;
    CHECK_FALSE(lock.locked());
    {
      const auto guard = co_await lock.scoped();
      CHECK(lock.locked());
    }
    CHECK_FALSE(lock.locked());
  });
}

template <class A>
concept Awaitable = requires(A awaitable) { std::move(awaitable).operator co_await(); };

TEST_CASE(
    "co_await: is for what acquire() or wait() returns [cpython "
    "test_locks.Lock.test_bare_await_rejected]") {
  static_assert(Awaitable<Coroutine<bool>>);
  static_assert(!Awaitable<aio::Lock> && !Awaitable<aio::Condition> && !Awaitable<aio::Barrier>);
  static_assert(!Awaitable<aio::Semaphore> && !Awaitable<aio::BoundedSemaphore>);
}

// ---------------------------------------------------------------- Event

Coroutine<> wait_and_note(aio::Event& event, Order& order, int number) {
  const bool set = co_await event.wait();
  CHECK(set);
  order.push_back(number);
}

TEST_CASE(
    "wait: returns at once while the event is set [cpython test_locks.Event.test_wait_on_set]") {
  on_loop([]() -> Coroutine<> {
    aio::Event event;
    event.set();
    CHECK(co_await event.wait());
  });
}

TEST_CASE("wait: a cancelled waiter leaves the line [cpython test_locks.Event.test_wait_cancel]") {
  on_loop([]() -> Coroutine<> {
    aio::Event event;
    const auto task = create_task(event.wait());
    co_await yield();
    task.cancel();
    co_await settle(task);
    CHECK(task.cancelled());
    event.set();
  });
}

TEST_CASE("clear: takes set() back [cpython test_locks.Event.test_clear]") {
  aio::Event event;
  CHECK_FALSE(event.is_set());
  event.set();
  CHECK(event.is_set());
  event.clear();
  CHECK_FALSE(event.is_set());
}

TEST_CASE("set: wakes all but who is cancelled in the same tick [derived.event_set_then_cancel]") {
  on_loop([]() -> Coroutine<> {
    aio::Event event;
    Order order;
    const auto t1 = create_task(wait_and_note(event, order, 1));
    const auto t2 = create_task(wait_and_note(event, order, 2));
    const auto t3 = create_task(wait_and_note(event, order, 3));
    co_await yield();
    event.set();
    event.clear();
    t2.cancel();
    co_await settle(t1, t2, t3);
    CHECK(order == Order{1, 3});
    CHECK(t2.cancelled());
  });
}

// ---------------------------------------------------------------- Semaphore

TEST_CASE(
    "Semaphore: begins with any number of permits but a negative one [cpython "
    "test_locks.Semaphore.test_initial_value_zero]") {
  CHECK(aio::Semaphore(0).locked());
  CHECK_FALSE(aio::Semaphore().locked());
  CHECK_THROWS_AS(aio::Semaphore(static_cast<std::size_t>(-1)), std::invalid_argument);
}

TEST_CASE(
    "acquire: each release lets one of those who wait go on [cpython "
    "test_locks.Semaphore.test_acquire]") {
  on_loop([]() -> Coroutine<> {
    aio::Semaphore semaphore(3);
    Order order;
    co_await semaphore.acquire();
    co_await semaphore.acquire();
    CHECK_FALSE(semaphore.locked());
    for (int number : {1, 2, 3, 4}) create_task(acquire_and_note(semaphore, order, number));
    co_await yield();
    CHECK(order == Order{1});
    CHECK(semaphore.locked());
    semaphore.release();
    semaphore.release();
    co_await ticks(2);
    CHECK(order == Order{1, 2, 3});
    CHECK(semaphore.locked());
    semaphore.release();
    co_await yield();
    CHECK(order == Order{1, 2, 3, 4});
  });
}

TEST_CASE(
    "acquire: a cancelled waiter takes no permit [cpython "
    "test_locks.Semaphore.test_acquire_cancel]") {
  on_loop([]() -> Coroutine<> {
    aio::Semaphore semaphore;
    co_await semaphore.acquire();
    const auto task = create_task(semaphore.acquire());
    co_await yield();
    task.cancel();
    co_await settle(task);
    CHECK(task.cancelled());
    semaphore.release();
    CHECK_FALSE(semaphore.locked());
  });
}

TEST_CASE(
    "release: the second gets what the cancelled first would have got [cpython "
    "test_locks.Semaphore.test_acquire_hang]") {
  on_loop([]() -> Coroutine<> {
    aio::Semaphore semaphore(0);
    const auto t1 = create_task(semaphore.acquire());
    const auto t2 = create_task(semaphore.acquire());
    co_await yield();
    t1.cancel();
    semaphore.release();
    CHECK(co_await t2);
    CHECK(t1.cancelled());
    CHECK(semaphore.locked());
  });
}

TEST_CASE(
    "release: only a BoundedSemaphore has a bound [cpython "
    "test_locks.Semaphore.test_release_not_acquired]") {
  aio::BoundedSemaphore bounded;
  CHECK_THROWS_AS(bounded.release(), std::logic_error);
  aio::Semaphore semaphore(0);
  semaphore.release();
  CHECK_FALSE(semaphore.locked());
}

Coroutine<> work_twice(aio::Semaphore& semaphore, std::vector<std::string>& log, std::string name) {
  for (const char* round : {"_1", "_2"}) {
    const auto guard = co_await semaphore.scoped();
    co_await aio::sleep(std::chrono::milliseconds(10));
    log.push_back(name + round);
  }
}

TEST_CASE(
    "acquire: who comes back stands behind those who wait [cpython "
    "test_locks.Semaphore.test_acquire_fifo_order]") {
  on_loop([]() -> Coroutine<> {
    aio::Semaphore semaphore(1);
    std::vector<std::string> log;
    const auto t1 = create_task(work_twice(semaphore, log, "c1"));
    const auto t2 = create_task(work_twice(semaphore, log, "c2"));
    const auto t3 = create_task(work_twice(semaphore, log, "c3"));
    co_await settle(t1, t2, t3);
    CHECK(log == std::vector<std::string>{"c1_1", "c2_1", "c3_1", "c1_2", "c2_2", "c3_2"});
  });
}

TEST_CASE(
    "release: two permits go to the two that were not cancelled [cpython "
    "test_locks.Semaphore.test_acquire_fifo_order_3]") {
  on_loop([]() -> Coroutine<> {
    aio::Semaphore semaphore(0);
    Order order;
    const auto t1 = create_task(acquire_and_note(semaphore, order, 1));
    const auto t2 = create_task(acquire_and_note(semaphore, order, 2));
    const auto t3 = create_task(acquire_and_note(semaphore, order, 3));
    co_await yield();
    t1.cancel();
    co_await yield();
    semaphore.release();
    semaphore.release();
    co_await settle(t1, t2, t3);
    CHECK(order == Order{2, 3});
  });
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
