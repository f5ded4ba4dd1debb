// A coroutine that an executor runs, with all that it forks.
#pragma once

#include <atomic>
#include <exception>
#include <memory>

#include <plait/core/detail/context_state.hpp>
#include <plait/core/detail/coroutine_host.hpp>
#include <plait/core/detail/fork.hpp>
#include <plait/core/detail/future_state.hpp>

namespace plait::detail {

class FutureWait;
class Strand;

//            invoke()
//   queued ───────────▶ runs, in one or more strands ──▶ ended: the root frame is done
//
//   a strand:   run() ─▶ runs ──▶ waits for a future ──▶ queued ──▶ run() ...
//                          └────▶ ended: it was a forked child, and has joined its parent
//
// A strand that runs is nothing but what its thread executes; one that waits is a Strand, a job of
// its own in the executor's eyes: it is queued, stolen and helped like any other. What a thread is
// to do last with a strand is left for when nothing of it is on the thread's stack: from then on
// another thread may run it, and end the job (StrandStop).

/// The part of a coroutine's job that does not depend on its result. A part of the state that is
/// its future; it holds a reference to that until its root frame has ended.
class CoroutineJob {
 public:
  CoroutineJob(const CoroutineJob&) = delete;
  CoroutineJob& operator=(const CoroutineJob&) = delete;

  FutureState& state() const noexcept { return state_; }
  CoroutineHost& host() const noexcept { return host_; }
  /// Runs in: a thread of the executor. Goes on with `leaf` until nothing can go on here, and ends
  /// the future where the root has ended. `in_turn`: the caller sees to what it forks.
  void run(Frame& leaf, ContextRef context, bool in_turn = false) noexcept;
  /// Runs in: any thread. Adds its queued strands, and what the others wait for.
  void find_strands(NeedSearch& search);

  // -- cancellation
  /// Runs in: any thread. The await at which a strand waits, or the next one, throws
  /// CancelledError.
  void request_cancel() noexcept;
  /// Runs in: any thread. Whether no await of the root coroutine has met the request yet.
  bool cancel_requested() const noexcept { return cancel_requested_.load(); }
  /// Runs in: the strand whose leaf is `at`, which has met the request. A forked coroutine leaves
  /// it to the others and to its parent, too.
  std::exception_ptr take_cancellation(const Frame& at) noexcept;

 protected:
  CoroutineJob(FutureState& state, CoroutineHost& host);
  ~CoroutineJob();

  /// Destroys a root that is no coroutine but an operation of a loop, and throws.
  static void check_root(Frame& root);
  /// Runs in: a thread of the executor. Starts with the root; true: it has ended here and now, and
  /// the caller ends the future.
  bool start(Frame& root) noexcept;
  /// Runs in: as above, the root has ended. Ends the future and gives a reference to it back.
  virtual void finish() noexcept = 0;

 private:
  friend class FutureWait;
  friend class Strand;
  struct Strands;

  bool drive_strand(Frame& leaf, ContextRef context, bool in_turn) noexcept;

  FutureState& state_;
  CoroutineHost& host_;
  const std::unique_ptr<Strands> strands_;  // those that wait
  // Set by request_cancel(), taken back by the strand that meets the request. Read at every fork.
  std::atomic<bool> cancel_requested_{false};
};

}  // namespace plait::detail
