// Time that a test moves on by itself, so that nothing is slept for and nothing is left to chance.
#pragma once

#include <utility>

#include <plait/core/clock.hpp>
#include <plait/core/coroutine.hpp>
#include <plait/loop/event_loop.hpp>
#include <plait/loop/task.hpp>

namespace plait::testing {

/// Runs `loop` until nothing is ready. Time stands still: what sleeps goes on sleeping.
///
/// **Python:** none; there tests call `await asyncio.sleep(0)` often enough.
/// @throws RuntimeError if it runs, is closed, or something is made ready anew in every iteration
void settle(aio::EventLoop& loop);
/// As above, inside of the loop that runs; not for two tasks at once, of which each sees the other.
Coroutine<> settle();
/// Runs `loop`, which has virtual time, for `duration`: what is due by then has happened, and the
/// loop is settled.
void advance(aio::EventLoop& loop, Duration duration);

/// A loop with virtual time, from outside: start something, advance(), look.
///
/// @snippet test/testing/test_virtual_clock.cpp virtual_loop
///
/// What waits for ever is a DeadlockError where it is waited for, and not a test that hangs.
/// **Threads:** one.
class VirtualLoop {
 public:
  /// At time zero.
  VirtualLoop() = default;

  /// The loop itself.
  aio::EventLoop& loop() { return loop_; }
  /// How much time has passed.
  Duration elapsed() const { return loop_.time() - start_; }
  /// Makes a task of `coro`, and settles: it has come to its first wait.
  template <class T>
  aio::Task<T> start(Coroutine<T> coro, aio::TaskOptions options = aio::TaskOptions()) {
    auto task = loop_.create_task(std::move(coro), options);
    settle();
    return task;
  }
  /// Runs `coro` to its end, jumping from timer to timer.
  template <class T>
  T run(Coroutine<T> coro) {
    return loop_.run_until_complete(std::move(coro));
  }
  /// See plait::testing::settle().
  void settle() { testing::settle(loop_); }
  /// See plait::testing::advance().
  void advance(Duration duration) { testing::advance(loop_, duration); }

 private:
  aio::EventLoop loop_{aio::LoopOptions{.virtual_time = true}};
  const Clock::time_point start_ = loop_.time();
};

}  // namespace plait::testing
