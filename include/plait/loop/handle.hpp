// Handle and TimerHandle: a callback that a loop was asked to run.
#pragma once

#include <plait/core/clock.hpp>
#include <plait/core/detail/future_state.hpp>
#include <plait/loop/detail/loop_callback.hpp>

namespace plait::aio {

/// A callback that was given to a loop, to take it back.
///
/// **Python:** asyncio.Handle. **Threads:** cancel() of what call_soon_threadsafe() returned may be
/// called in any thread, everything else in the loop's.
class Handle {
 public:
  /// The callback is not run any more, and destroyed at once. Does nothing if it has run.
  void cancel() { callback_->cancel(); }
  /// True after cancel(), unless the callback had run before.
  bool cancelled() const { return callback_->cancelled(); }

 protected:
  friend class EventLoop;
  /// A handle to `callback`.
  explicit Handle(detail::CallbackRef callback) noexcept : callback_(std::move(callback)) {}

  /// The callback; shared with its queue.
  detail::CallbackRef callback_;
};

/// A callback that waits for its time.
///
/// **Python:** asyncio.TimerHandle. **Threads:** the loop's.
class TimerHandle : public Handle {
 public:
  /// When the callback is due, on the loop's clock.
  Clock::time_point when() const { return callback_->when(); }

 private:
  friend class EventLoop;
  using Handle::Handle;
};

}  // namespace plait::aio
