// Whatever can resume a coroutine.
#pragma once

#include <exception>
#include <string>

#include <plait/core/detail/future_state.hpp>
#include <plait/core/detail/ready_queue.hpp>

namespace plait::detail {

/// An owner that can run something later, in a thread of its own: an event loop. It owns the states
/// of its fibers and those that are marked as of_loop.
class Scheduler : public JobOwner {
 public:
  /// Runs in: any thread. Runs `work` soon.
  void post(Runnable& work) noexcept;
  /// Runs in: its own thread. Takes an error that nobody can catch.
  virtual void report(std::string message, std::exception_ptr error) noexcept = 0;
  /// Runs in: its own thread. One of its fibers begins (1) or ends (-1) to wait for work that runs
  /// elsewhere.
  virtual void expect_outside(int change) noexcept = 0;
  /// Runs in: any thread. Whether the calling thread is the one that made or last ran it.
  virtual bool in_own_thread() const noexcept = 0;
  /// Runs in: its own thread. Whether it runs nothing any more.
  virtual bool closed() const noexcept = 0;
  /// Runs in: its own thread. Whether suspicious uses are to be reported.
  virtual bool in_debug_mode() const noexcept = 0;

 protected:
  ~Scheduler() = default;

  /// Runs in: any thread but the one in which it runs. See post().
  virtual void post_from_outside(Runnable& work) noexcept = 0;

  ReadyQueue ready_;  // what it runs next; its own thread only
};

/// The one that runs in the calling thread now; null: none. Used only by that thread. See
/// frame_cache for the storage model.
[[gnu::tls_model("initial-exec")]] inline constinit thread_local Scheduler* running_loop = nullptr;

inline void Scheduler::post(Runnable& work) noexcept {
  if (running_loop == this) {
    ready_.push(work);
  } else {
    post_from_outside(work);
  }
}

}  // namespace plait::detail
