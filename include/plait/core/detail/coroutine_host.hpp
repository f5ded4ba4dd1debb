// What an executor does for the coroutines that it runs.
#pragma once

namespace plait::detail {

class ForkQueue;
class FutureState;

/// An executor as the coroutines see it that it runs.
class CoroutineHost {
 public:
  /// Runs in: any thread. Queues a strand, with its reference, even while shutting down. False:
  /// there are no threads, the caller runs it itself.
  virtual bool resume(FutureState& strand) noexcept = 0;
  /// Runs in: a thread that runs one of its coroutines. Null: what is forked here stays here.
  virtual ForkQueue* fork_queue() noexcept = 0;
  /// Runs in: as above. Forked coroutines wait in its queue.
  virtual void call_helpers() noexcept = 0;
  /// Runs in: as above. The thread runs a strand of `job` from now on, or does so no more.
  virtual void enter(FutureState& job) noexcept = 0;
  virtual void leave(FutureState& job) noexcept = 0;
  /// Runs in: as above. From the first to the second, which comes after the end of the future
  /// unless that is left to the caller of invoke(), the executor has to live and keep its threads.
  virtual void coroutine_started() noexcept = 0;
  virtual void coroutine_ended() noexcept = 0;

 protected:
  ~CoroutineHost() = default;
};

}  // namespace plait::detail
