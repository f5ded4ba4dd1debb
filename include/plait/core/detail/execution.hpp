// What a thread runs of coroutines just now.
#pragma once

#include <coroutine>
#include <cstdint>

#include <plait/core/detail/frame.hpp>

namespace plait::detail {

class CoroutineJob;
class Fiber;
class ForkQueue;
class StrandStop;

/// The chain of awaits that a thread runs, from its root to its leaf. Each thread has one; who
/// starts or resumes a chain on top of another saves it before and restores it afterwards.
struct Execution {
  /// Control goes from frame to frame by symmetric transfer. Compilers that do not turn each of
  /// those into a jump would exhaust the stack, so every so often drive() makes the next step.
  static constexpr std::uint32_t most_transfers = 128;

  Fiber* fiber = nullptr;            ///< the task of a loop that it belongs to; null: of none
  Frame* leaf = nullptr;             ///< the frame that runs; once ended, the root
  std::uint32_t transfers_left = 0;  ///< 0: leaf is to be resumed by drive()
  bool ended = false;                ///< the root frame is done

  // -- of a coroutine that an executor runs
  CoroutineJob* job = nullptr;  ///< that it belongs to; null: to none
  ForkQueue* forks = nullptr;   ///< where this thread puts what it forks
  StrandStop* stop = nullptr;   ///< why it has stopped; null: it has ended, or runs
  std::uint32_t joining = 0;    ///< where that is a fork: how many of its children have ended here
};

/// See Execution. See frame_cache for the storage model.
[[gnu::tls_model("initial-exec")]] inline constinit thread_local Execution execution;

/// `next` runs from now on: the handle that an await_suspend() has to return for that.
inline std::coroutine_handle<> transfer_to(Frame& next) noexcept {
  execution.leaf = &next;
  if (--execution.transfers_left > 0) [[likely]]
    return next.self();
  return std::noop_coroutine();
}

/// Runs a chain from its leaf until it waits or has ended; true: it has ended.
inline bool drive(Frame& leaf) noexcept {
  execution.leaf = &leaf;
  execution.ended = false;
  do {
    execution.transfers_left = Execution::most_transfers;
    execution.leaf->self().resume();
  } while (execution.transfers_left == 0);
  return execution.ended;
}

}  // namespace plait::detail
