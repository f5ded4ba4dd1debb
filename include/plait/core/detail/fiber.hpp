// A chain of awaits that is run as one: what a task of a loop drives.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <plait/core/detail/execution.hpp>
#include <plait/core/detail/frame.hpp>
#include <plait/core/detail/scheduler.hpp>

namespace plait::detail {

//             step()                     Fiber::suspend()
//   ready ─────────────▶ running ────────────────────────────▶ waiting
//     ▲                     │                                    │
//     │                     └──▶ ended: the root frame is done   │
//     └──────────────────────────────────────────────────────────┘
//       wake(): exactly one of what it waits for, and cancel()
//
// Everything but wake() is called in the fiber's own thread only.

/// A chain of frames, from the root that somebody submitted to the leaf that runs or waits. It is
/// a part of the state that is its future; its owner's thread runs it.
class Fiber {
 public:
  /// A fiber whose first step starts `root`, which it owns from now on. `id` makes its name, if it
  /// is given no other.
  Fiber(FutureState& state, Frame& root, std::uint32_t id) noexcept
      : state_(state), leaf_(&root), id_(id) {
    root.mark_as_root();
  }
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // -- for awaiters, in the fiber's thread
  /// The fiber waits for `on`, which will call wake() once; `leaf` is what then goes on.
  void suspend(Frame& leaf, Suspension& on) noexcept {
    leaf_ = &leaf;
    suspended_on_ = &on;
    if (cancel_pending_) deliver_cancellation();
  }
  /// As suspend(), for a wait whose wake-up gives something that must not get lost: `on` is told by
  /// accept() or fail() whether the fiber took it.
  void suspend_for_grant(Frame& leaf, Suspension& on) noexcept {
    granted_ = true;
    suspend(leaf, on);
  }
  /// Takes the last suspend() back: the fiber goes on at once.
  void unsuspend() noexcept { suspended_on_ = nullptr; }
  /// Makes it ready to run. In its own thread this happens now, so cancel() knows of it.
  void wake() noexcept {
    awake_ = true;
    scheduler().post(state_);
  }
  /// As wake(), from a thread that may be another.
  void wake_from_any_thread() noexcept { scheduler().post(state_); }

  // -- for the owner, in its thread
  /// Runs the chain, which is execution.fiber, until it waits or has ended; true: ended, and leaf()
  /// is its root.
  bool step() noexcept;
  /// The frame that waits, or was the last one to do so; once ended, the root.
  Frame& leaf() const noexcept { return *leaf_; }
  Frame& root() const noexcept;
  /// False: the first step is still to come.
  bool started() const noexcept { return started_; }
  const Suspension* suspended_on() const noexcept { return awake_ ? nullptr : suspended_on_; }
  FutureState& state() const noexcept { return state_; }
  /// Who resumes it.
  Scheduler& scheduler() const noexcept { return static_cast<Scheduler&>(*state_.owner()); }
  /// Before its frames are destroyed unfinished: nothing reaches what it waited for any more.
  Frame& give_frames_up() noexcept {
    leaf_ = &root();
    unsuspend();
    ended_ = true;
    return *leaf_;
  }
  /// See Suspension::detach(). A fiber that is awake is in its owner's queue.
  bool detach() noexcept { return !suspended_on_ || (!awake_ && suspended_on_->detach()); }

  // -- cancellation, in the fiber's thread
  /// False: cancel() is just asking what it waits for, which asks back; the request counts.
  bool cancel(std::string_view message) noexcept;
  int cancelling() const noexcept { return cancel_requests_; }
  int uncancel() noexcept;
  /// A request that no await has met yet.
  bool cancel_pending() const noexcept { return cancel_pending_; }
  /// The error for the await that meets it; the request is then no longer pending.
  std::exception_ptr take_cancellation() noexcept;
  /// As above, for an await that has passed the request on and got no reason back.
  std::exception_ptr make_cancelled_error() const noexcept;
  /// The reason that the last request gave; empty: none.
  std::string_view cancel_message() const noexcept {
    return extras_ ? std::string_view(extras_->cancel_message) : std::string_view();
  }

  // -- names and stacks
  std::string name() const;
  void set_name(std::string name);
  std::vector<std::string> stack() const;

 protected:
  ~Fiber();

 private:
  struct Extras {
    std::string name;
    std::string cancel_message;
  };

  void deliver_cancellation() noexcept;
  bool first_step() noexcept;
  bool run_from(Frame& leaf) noexcept;
  void set_cancel_message(std::string_view message) noexcept;

  FutureState& state_;
  Frame* leaf_;
  Suspension* suspended_on_ = nullptr;  // null: runs, or was never started
  std::uint16_t cancel_requests_ = 0;
  // Bytes, not bits: a load of several bits just after a store of one would stall.
  bool started_ = false;
  bool granted_ = false;  // what it waits for is to be told that it resumes
  bool awake_ = false;    // wake() was called in this thread since the last suspend()
  bool ended_ = false;
  bool cancel_pending_ = false;  // the next await that waits ends with CancelledError
  bool gave_up_ = false;     // as above, and uncancel() comes too late: nothing else ends the wait
  bool delivering_ = false;  // cancel() is on the stack: who comes back here has gone round
  const std::uint32_t id_;
  std::unique_ptr<Extras> extras_;  // what few fibers have
};

// Implementation of what runs at every step.

inline bool Fiber::step() noexcept {
  Suspension* const on = std::exchange(suspended_on_, nullptr);
  awake_ = false;
  if (!started_) return cancel_pending_ || first_step();
  const bool granted = std::exchange(granted_, false);
  if (cancel_pending_ && on) [[unlikely]] {
    on->fail(take_cancellation());
  } else if (granted) {
    on->accept();
  }
  if (!leaf_->is_operation()) return run_from(*leaf_);
  Frame* const awaiting = leaf_->parent();  // who takes the operation's result
  return !awaiting || run_from(*awaiting);
}

inline bool Fiber::run_from(Frame& leaf) noexcept {
  ended_ = drive(leaf);
  if (ended_) leaf_ = execution.leaf;
  return ended_;
}

}  // namespace plait::detail
