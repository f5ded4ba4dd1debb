// Lock, Event, Condition, Semaphore and Barrier: how the tasks of one loop wait for each other.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include <plait/core/coroutine.hpp>
#include <plait/core/errors.hpp>
#include <plait/loop/detail/permits.hpp>
#include <plait/loop/detail/signal_line.hpp>
#include <plait/loop/detail/waiter_list.hpp>

namespace plait::detail {
class ConditionLink;
class ConditionWait;
class BarrierState;
}  // namespace plait::detail

namespace plait::aio {

/// Mutual exclusion among the tasks of one loop, first come, first served.
///
/// release() hands the lock to who has waited longest, so it stays locked() meanwhile and nobody
/// can get in between. Who waits while the lock is destroyed gets RuntimeError.
///
/// **Python:** asyncio.Lock; there the lock is free until the next one has woken up. **Threads:**
/// those of one loop, that of the first task that had to wait; RuntimeError elsewhere.
/// **Cancellation:** of a waiting task loses no wake-up; the next one gets the lock.
class Lock {
 public:
  /// Releases the lock at the end of a scope.
  class Guard;

  /// A free lock; a loop is not needed yet.
  Lock() noexcept : permits_(1, "Lock") {}

  /// Waits until the lock is free and takes it. @returns true
  Coroutine<bool> acquire();
  /// Lets the next one have it. @throws RuntimeError if it is not locked
  void release();
  /// Somebody has it.
  bool locked() const noexcept { return permits_.free() <= 0; }
  /// As acquire(), until the guard is destroyed. **Python:** async with.
  [[nodiscard]] Coroutine<Guard> scoped();

 private:
  friend class Condition;
  friend class detail::ConditionWait;

  void leave_scope() noexcept;

  detail::Permits permits_;
};

/// See Lock.
class [[nodiscard]] Lock::Guard {
 public:
  /// Takes over what the other was to release.
  Guard(Guard&& other) noexcept : lock_(std::exchange(other.lock_, nullptr)) {}
  Guard& operator=(Guard&&) = delete;
  /// Releases the lock; that it was released before is reported to the log.
  ~Guard() {
    if (lock_) lock_->leave_scope();
  }

 private:
  friend class Lock;

  explicit Guard(Lock& lock) noexcept : lock_(&lock) {}

  Lock* lock_;  // null: moved from
};

/// A flag that tasks wait for.
///
/// set() wakes all who wait; whether it is cleared before they resume does not matter.
/// **Python:** asyncio.Event. **Threads:** as Lock. **Cancellation:** at once.
class Event {
 public:
  /// A flag that is not set.
  Event() noexcept : line_("Event", false) {}

  /// Waits until the flag is set. @returns true
  Coroutine<bool> wait();
  /// Sets it and wakes all who wait. @throws RuntimeError where another loop's tasks wait
  void set();
  /// Resets it: wait() waits again.
  void clear() noexcept { line_.close(); }
  /// It is set.
  bool is_set() const noexcept { return line_.is_open(); }

 private:
  detail::SignalLine line_;
};

/// A lock, and a line of tasks that have released it until somebody notifies them.
///
/// Notified tasks move on to the line before the lock, in their order, without waking up first.
/// **Python:** asyncio.Condition. **Threads:** as Lock.
/// **Cancellation:** wait() throws once it has the lock again. A notification that a cancelled task
/// got goes to the next one, which can thus wake up without cause: use wait_for().
class Condition {
 public:
  /// A condition with a `lock` that others may use too; null: with one of its own.
  explicit Condition(std::shared_ptr<Lock> lock = nullptr);
  Condition(const Condition&) = delete;
  Condition& operator=(const Condition&) = delete;
  /// Who waits gets RuntimeError, once it has the lock.
  ~Condition();

  /// As Lock::acquire(), of the lock.
  Coroutine<bool> acquire() { return lock_->acquire(); }
  /// As Lock::release(), of the lock.
  void release() { lock_->release(); }
  /// As Lock::locked(), of the lock.
  bool locked() const noexcept { return lock_->locked(); }
  /// As Lock::scoped(), of the lock.
  [[nodiscard]] Coroutine<Lock::Guard> scoped() { return lock_->scoped(); }

  /// Releases the lock, waits for a notification, and takes the lock again. @returns true
  /// @throws RuntimeError if the lock is not locked
  Coroutine<bool> wait();
  /// Waits until predicate() is true, which is asked first of all and after each notification.
  /// @returns what it gave last
  template <class P>
  Coroutine<bool> wait_for(P predicate) {
    for (;;) {
      if (bool(predicate())) co_return true;
      co_await wait();
    }
  }
  /// Wakes the `n` that have waited longest, or as many as there are.
  /// @throws RuntimeError if the lock is not locked
  void notify(std::size_t n = 1);
  /// Wakes all who wait. @throws as notify()
  void notify_all();

 private:
  friend class detail::ConditionWait;

  void notify_next() noexcept;

  const std::shared_ptr<Lock> lock_;
  detail::LoopBinding binding_;
  detail::WaiterList<detail::ConditionLink> waiting_;
  detail::WaiterList<detail::ConditionLink> notified_;  // those that have not resumed yet
};

/// A number of permits: as many tasks at a time go on, the others wait, first come, first served.
///
/// release() hands its permit to who has waited longest. **Python:** asyncio.Semaphore.
/// **Threads:** as Lock. **Cancellation:** as Lock.
class Semaphore {
 public:
  /// Releases a permit at the end of a scope.
  class Guard;

  /// `value` permits. @throws std::invalid_argument for a negative number that became a huge one
  explicit Semaphore(std::size_t value = 1);
  /// Who still waits gets RuntimeError.
  virtual ~Semaphore() = default;
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;

  /// Waits for a permit and takes it. @returns true
  Coroutine<bool> acquire();
  /// Gives a permit back, or a new one.
  virtual void release();
  /// No permit is left.
  bool locked() const noexcept { return permits_.free() <= 0; }
  /// As acquire(), until the guard is destroyed. **Python:** async with.
  [[nodiscard]] Coroutine<Guard> scoped();

 protected:
  /// How many permits are left.
  std::size_t value() const noexcept { return static_cast<std::size_t>(permits_.free()); }

 private:
  void leave_scope() noexcept;

  detail::Permits permits_;
};

/// See Semaphore.
class [[nodiscard]] Semaphore::Guard {
 public:
  /// Takes over what the other was to release.
  Guard(Guard&& other) noexcept : semaphore_(std::exchange(other.semaphore_, nullptr)) {}
  Guard& operator=(Guard&&) = delete;
  /// As release(); what that throws is reported to the log.
  ~Guard() {
    if (semaphore_) semaphore_->leave_scope();
  }

 private:
  friend class Semaphore;

  explicit Guard(Semaphore& semaphore) noexcept : semaphore_(&semaphore) {}

  Semaphore* semaphore_;  // null: moved from
};

/// A Semaphore that never has more permits than it began with.
///
/// **Python:** asyncio.BoundedSemaphore. **Threads:** as Lock. **Cancellation:** as Lock.
class BoundedSemaphore : public Semaphore {
 public:
  /// As Semaphore's.
  explicit BoundedSemaphore(std::size_t value = 1) : Semaphore(value), bound_(value) {}

  /// Gives a permit back. @throws std::logic_error if none is missing
  void release() override;

 private:
  const std::size_t bound_;
};

/// A Barrier was reset or aborted while a task waited, or is broken.
///
/// **Python:** asyncio.BrokenBarrierError.
struct BrokenBarrierError : RuntimeError {
  using RuntimeError::RuntimeError;
};

/// A place where a number of tasks wait for each other, again and again.
///
/// Who comes while those of the last round are still leaving waits for that, too. Destroying it is
/// as abort(). **Python:** asyncio.Barrier. **Threads:** as Lock.
/// **Cancellation:** of a waiting task: the others need one more.
class Barrier {
 public:
  /// For `parties` tasks. @throws std::invalid_argument for none
  explicit Barrier(std::size_t parties);
  Barrier(const Barrier&) = delete;
  Barrier& operator=(const Barrier&) = delete;
  ~Barrier();

  /// Waits for the others. @returns a number of its own in this round, from 0, in order of coming
  /// @throws BrokenBarrierError after reset() or abort()
  Coroutine<std::size_t> wait();
  /// Makes those who wait get BrokenBarrierError; afterwards it is as new.
  Coroutine<> reset();
  /// Makes those who wait, and all who will, get BrokenBarrierError, until it is reset.
  Coroutine<> abort();
  /// How many tasks it takes.
  std::size_t parties() const noexcept;
  /// How many wait in this round; 0 while those of the last one leave.
  std::size_t n_waiting() const noexcept;
  /// It was aborted.
  bool broken() const noexcept;

 private:
  const std::shared_ptr<detail::BarrierState> state_;  // shared with those who are inside
};

}  // namespace plait::aio
