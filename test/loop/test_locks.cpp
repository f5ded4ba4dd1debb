// Locks: races of a cancellation with a hand-over, other loops, and objects and loops that go away.
#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <plait/aio.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/log_capture.hpp"
#include "support/on_loop.hpp"

namespace plait::test {
namespace {

using aio::create_task;
using aio::yield;

TEST_SUITE_BEGIN("loop/locks");

Coroutine<> hold_until(aio::Lock& lock, aio::Event& event) {
  const auto guard = co_await lock.scoped();
  co_await event.wait();
}

// ---------------------------------------------------------------- cancelled after the wake-up

TEST_CASE("acquire: a lock handed to a task that is cancelled before it resumes goes on") {
  on_loop([]() -> Coroutine<> {
    aio::Lock lock;
    co_await lock.acquire();
    const auto t1 = create_task(lock.acquire());
    const auto t2 = create_task(lock.acquire());
    co_await yield();
    lock.release();
    t1.cancel();
    co_await settle(t1, t2);
    CHECK(t1.cancelled());
    CHECK(t2.result());
    CHECK(lock.locked());
    lock.release();
    CHECK_FALSE(lock.locked());
  });
}

TEST_CASE("scoped: a lock handed to a task that is cancelled before it resumes is free again") {
  on_loop([]() -> Coroutine<> {
    aio::Lock lock;
    aio::Event never;
    co_await lock.acquire();
    const auto task = create_task(hold_until(lock, never));
    co_await yield();
    lock.release();
    task.cancel();
    CHECK(lock.locked());
    co_await settle(task);
    CHECK(task.cancelled());
    CHECK_FALSE(lock.locked());
  });
}

TEST_CASE("acquire: a cancellation that was taken back before the task resumes leaves the lock") {
  on_loop([]() -> Coroutine<> {
    aio::Lock lock;
    co_await lock.acquire();
    const auto task = create_task(lock.acquire());
    co_await yield();
    lock.release();
    task.cancel();
    task.uncancel();
    CHECK(co_await task);
    CHECK(lock.locked());
  });
}

TEST_CASE("acquire: uncancel() comes too late once the wait was given up") {
  on_loop([]() -> Coroutine<> {
    aio::Lock lock;
    co_await lock.acquire();
    const auto task = create_task(lock.acquire());
    co_await yield();
    task.cancel();
    task.uncancel();
    co_await settle(task);
    CHECK(task.cancelled());
  });
}

TEST_CASE("Semaphore: permits of tasks cancelled in the same tick reach the next ones") {
  on_loop([]() -> Coroutine<> {
    aio::Semaphore semaphore(0);
    std::vector<aio::Task<bool>> tasks;
    for (int i = 0; i < 6; ++i) tasks.push_back(create_task(semaphore.acquire()));
    co_await yield();
    for (int i = 0; i < 3; ++i) semaphore.release();
    for (int i : {0, 2, 4}) tasks[static_cast<std::size_t>(i)].cancel();
    for (const auto& task : tasks) co_await settle(task);
    for (int i : {0, 2, 4}) CHECK(tasks[static_cast<std::size_t>(i)].cancelled());
    for (int i : {1, 3, 5}) CHECK_FALSE(tasks[static_cast<std::size_t>(i)].cancelled());
    CHECK(semaphore.locked());
  });
}

Coroutine<> wait_locked(aio::Condition& condition, std::vector<int>& order, int number) {
  const auto guard = co_await condition.scoped();
  co_await condition.wait();
  order.push_back(number);
}

TEST_CASE("Condition: a notification goes on when its task is cancelled before it has the lock") {
  on_loop([]() -> Coroutine<> {
    aio::Condition condition;
    std::vector<int> order;
    const auto t1 = create_task(wait_locked(condition, order, 1));
    const auto t2 = create_task(wait_locked(condition, order, 2));
    co_await yield();
    co_await condition.acquire();
    condition.notify();
    t1.cancel();
    condition.release();
    co_await settle(t1, t2);
    CHECK(t1.cancelled());
    CHECK(order == std::vector{2});
    CHECK_FALSE(condition.locked());
  });
}

TEST_CASE("Condition: a notification goes on when its task is cancelled before it resumes") {
  on_loop([]() -> Coroutine<> {
    aio::Condition condition;
    std::vector<int> order;
    const auto t1 = create_task(wait_locked(condition, order, 1));
    const auto t2 = create_task(wait_locked(condition, order, 2));
    co_await yield();
    co_await condition.acquire();
    condition.notify();
    condition.release();
    t1.cancel();
    co_await settle(t1, t2);
    CHECK(t1.cancelled());
    CHECK(order == std::vector{2});
    CHECK_FALSE(condition.locked());
  });
}

TEST_CASE(
    "Condition: a task cancelled twice while it waits for the lock ends once, with the lock") {
  on_loop([]() -> Coroutine<> {
    aio::Condition condition;
    std::vector<int> order;
    const auto task = create_task(wait_locked(condition, order, 1));
    co_await yield();
    co_await condition.acquire();
    task.cancel("first");
    co_await ticks(2);
    task.cancel("second");
    co_await ticks(2);
    CHECK_FALSE(task.done());
    condition.release();
    co_await settle(task);
    CHECK(task.cancelled());
    CHECK_FALSE(condition.locked());
  });
}

Coroutine<bool> acquire_cancelled(aio::Semaphore& semaphore) {
  aio::current_task()->cancel();
  const bool acquired = co_await semaphore.acquire();
  aio::current_task()->uncancel();
  co_return acquired;
}

TEST_CASE("acquire: a request that came before meets the next await that waits") {
  on_loop([]() -> Coroutine<> {
    aio::Semaphore semaphore(1);
    CHECK(co_await create_task(acquire_cancelled(semaphore)));
    const auto waits = create_task(acquire_cancelled(semaphore));
    co_await settle(waits);
    CHECK(waits.cancelled());
    semaphore.release();
    CHECK_FALSE(semaphore.locked());
  });
}

TEST_CASE("Barrier: a task cancelled while it leaves does not harm the next round") {
  on_loop([]() -> Coroutine<> {
    aio::Barrier barrier(3);
    const auto t1 = create_task(barrier.wait());
    const auto t2 = create_task(barrier.wait());
    co_await yield();
    CHECK(co_await barrier.wait() == 2);
    t1.cancel();
    const auto again = create_task(barrier.wait());
    CHECK(barrier.n_waiting() == 0);
    co_await settle(t1, t2);
    CHECK(t1.cancelled());
    CHECK(t2.result() == 0);
    co_await ticks(2);
    CHECK(barrier.n_waiting() == 1);
    again.cancel();
    co_await settle(again);
  });
}

// ---------------------------------------------------------------- guards

TEST_CASE("Guard: a guard that was moved from releases nothing") {
  on_loop([]() -> Coroutine<> {
    aio::Lock lock;
    std::optional<aio::Lock::Guard> outer;
    {
      auto inner = co_await lock.scoped();
      outer.emplace(std::move(inner));
    }
    CHECK(lock.locked());
    outer.reset();
    CHECK_FALSE(lock.locked());
  });
}

TEST_CASE("Guard: that somebody else has released the lock is reported") {
  on_loop([]() -> Coroutine<> {
    const LogCapture log;
    aio::Lock lock;
    aio::BoundedSemaphore semaphore;
    {
      const auto guard = co_await lock.scoped();
      const auto permit = co_await semaphore.scoped();
      lock.release();
      semaphore.release();
    }
    CHECK(log.count("Lock is not acquired") == 1);
    CHECK(log.count("released too many times") == 1);
  });
}

// ---------------------------------------------------------------- other loops, no loop

TEST_CASE("acquire: a lock in which one loop's tasks have waited is refused to another's") {
  aio::Lock lock;
  const auto contend = [&]() -> Coroutine<> {
    co_await lock.acquire();
    const auto task = create_task(lock.acquire());
    co_await yield();
    lock.release();
    co_await task;
    lock.release();
  };
  aio::EventLoop first, second;
  first.run_until_complete(contend());
  const auto text = text_of<RuntimeError>([&] { second.run_until_complete(contend()); });
  CHECK(holds(text, "Lock is bound to a different event loop"));
  first.run_until_complete(lock.acquire());
}

TEST_CASE("set: from another thread than that of the waiting tasks is an error") {
  on_loop([]() -> Coroutine<> {
    aio::Event event;
    const auto waiter = create_task(event.wait());
    co_await yield();
    std::string text;
    std::thread([&] { text = text_of<RuntimeError>([&] { event.set(); }); }).join();
    CHECK(holds(text, "call_soon_threadsafe"));
    CHECK_FALSE(event.is_set());
    event.set();
    co_await waiter;
  });
}

// ---------------------------------------------------------------- what goes away

TEST_CASE("destructor: who waits gets RuntimeError") {
  on_loop([]() -> Coroutine<> {
    auto lock = std::make_unique<aio::Lock>();
    auto event = std::make_unique<aio::Event>();
    auto semaphore = std::make_unique<aio::Semaphore>(0);
    co_await lock->acquire();
    const auto t1 = create_task(throws<RuntimeError>(lock->acquire()));
    const auto t2 = create_task(throws<RuntimeError>(event->wait()));
    const auto t3 = create_task(throws<RuntimeError>(semaphore->acquire()));
    co_await yield();
    lock.reset();
    event.reset();
    semaphore.reset();
    CHECK((co_await t1 && co_await t2 && co_await t3));
  });
}

TEST_CASE("destructor: a lock that was handed over but not taken is not taken any more") {
  on_loop([]() -> Coroutine<> {
    auto lock = std::make_unique<aio::Lock>();
    co_await lock->acquire();
    const auto taken = create_task(throws<RuntimeError>(lock->acquire()));
    const auto refused = create_task(throws<RuntimeError>(lock->acquire()));
    co_await yield();
    lock->release();
    lock.reset();
    CHECK((co_await taken && co_await refused));
  });
}

TEST_CASE("Condition: destroyed, it lets who waits have the lock, with an error") {
  on_loop([]() -> Coroutine<> {
    const auto lock = std::make_shared<aio::Lock>();
    auto condition = std::make_unique<aio::Condition>(lock);
    co_await lock->acquire();
    const auto t1 = create_task(throws<RuntimeError>(condition->wait()));
    co_await yield();
    co_await lock->acquire();
    const auto t2 = create_task(throws<RuntimeError>(condition->wait()));
    co_await yield();
    condition.reset();
    CHECK(co_await t1);
    CHECK_FALSE(t2.done());
    lock->release();
    CHECK(co_await t2);
    CHECK(lock->locked());
  });
}

TEST_CASE("Barrier: destroyed, it is as aborted for who waits") {
  on_loop([]() -> Coroutine<> {
    auto barrier = std::make_unique<aio::Barrier>(2);
    const auto task = create_task(throws<aio::BrokenBarrierError>(barrier->wait()));
    co_await yield();
    barrier.reset();
    CHECK(co_await task);
  });
}

Coroutine<> wait_in_scope(aio::Condition& condition, bool& resumed) {
  const auto guard = co_await condition.scoped();
  co_await condition.wait();
  resumed = true;
}

TEST_CASE("close: tasks that wait or were just woken leave everything as it was") {
  const LogCapture log;  // of tasks destroyed while pending
  aio::Lock lock;
  aio::Condition condition;
  aio::Semaphore semaphore(1);
  aio::Event never;
  bool resumed = false;
  {
    aio::EventLoop loop;
    const auto main = [&]() -> Coroutine<> {
      create_task(hold_until(lock, never));
      create_task(lock.acquire());
      co_await semaphore.acquire();
      create_task(semaphore.acquire());
      create_task(wait_in_scope(condition, resumed));
      create_task(wait_in_scope(condition, resumed));
      co_await yield();
      co_await condition.acquire();
    };
    loop.run_until_complete(main());
    condition.notify();
    condition.release();
    semaphore.release();
    CHECK((condition.locked() && semaphore.locked()));
    loop.close();
  }
  CHECK_FALSE(resumed);
  CHECK_FALSE(lock.locked());
  CHECK_FALSE(condition.locked());
  CHECK_FALSE(semaphore.locked());
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
