// A strand of a coroutine on an executor while it waits for a future.
#pragma once

#include <string>

#include <plait/core/detail/coroutine_job.hpp>
#include <plait/core/detail/frame_memory.hpp>
#include <plait/core/detail/future_wait.hpp>

namespace plait::detail {

//   made ── leave() ─▶ waits ── wake() ─▶ queued ── invoke() ─▶ gone
//             │          └── CoroutineJob::request_cancel(): taken off what it waits for, then
//             either │              waits again, for the end that was asked for, or is queued with
//             an error └─▶ gone: done already, its thread goes on
//
// From the end of leave() on it belongs to who wakes it, from wake() on to the executor's queue.

/// What an executor queues to go on with a coroutine. One for every wait.
class Strand final : public FutureState, public StrandStop, public Recycled<Strand> {
 public:
  /// Will go on with `leaf`, the awaiting frame of the strand that runs here.
  Strand(CoroutineJob& job, Frame& leaf, FutureWait& wait) noexcept;
  using Recycled<Strand>::operator new;
  using Recycled<Strand>::operator delete;

  CoroutineJob& job() const noexcept { return job_; }
  /// Runs in: any thread. What it waited for is done. The strand may be gone afterwards.
  void wake() noexcept;
  Frame* leave() noexcept override;

  // -- for the executor
  /// Goes on. The strand may then wait again, as another object.
  Phase invoke() noexcept override;
  /// Only its job can be cancelled.
  bool cancel(std::string_view = {}) noexcept override { return false; }
  std::string describe() const override;

 private:
  friend class CoroutineJob;
  friend struct CoroutineJob::Strands;

  bool wait() noexcept;
  void interrupt() noexcept;

  CoroutineJob& job_;
  Frame& leaf_;
  FutureWait& wait_;    // in leaf_; alive until the strand goes on
  ContextRef context_;  // of the strand
  Strand* previous_ =
      nullptr;  // the job's list of strands that wait or are queued; under its mutex
  Strand* next_ = nullptr;
  bool linked_ = false;  // under the job's mutex, as queued_
  bool queued_ = false;
};

}  // namespace plait::detail
