// Which schedulers exist, for those who come from a future whose owner may be gone.
#pragma once

#include <plait/core/detail/scheduler.hpp>

namespace plait::detail {

/// Runs in: any thread; the constructor and the destructor of `scheduler`.
void add_live_scheduler(Scheduler& scheduler);
void remove_live_scheduler(Scheduler& scheduler) noexcept;

/// Runs in: any thread, owners_mutex() held, which keeps the scheduler alive.
bool is_live(const JobOwner* owner) noexcept;

/// Hands an error to `scheduler`, with a text that may fail to be put together for want of memory.
template <class MakeText>
void report_made(Scheduler& scheduler, MakeText make_text, std::exception_ptr error) noexcept {
  try {
    scheduler.report(make_text(), error);
  } catch (...) {
    scheduler.report({}, error);
  }
}

/// The owner, if it is a scheduler that still exists and belongs to the calling thread, which then
/// keeps it alive; else null.
Scheduler* live_in_this_thread(JobOwner* owner) noexcept;

}  // namespace plait::detail
