// How a gather() ends: with its first failure, its last child, or its cancellation.
#include <plait/loop/detail/gather_state.hpp>

#include <plait/core/cancelled_error.hpp>
#include <plait/core/detail/need_search.hpp>

namespace plait::detail {

// A loop that runs inside of an executor's coroutine hides that while it runs, and the reverse.
GatherPlace running_place() {
  if (CoroutineJob* const job = execution.job) {
    return {.loop = nullptr, .executor = &static_cast<ExecutorCore&>(job->host())};
  }
  return {.loop = &require_running_core(), .executor = nullptr};
}

std::string GatherBase::describe_gather() const {
  return "gather() of " + std::to_string(children_.size());
}

void GatherBase::find_children(NeedSearch& search) const {
  for (const Watch& child : children_) search.add(StateRef<FutureState>::share(child.state()));
}

// A child may end within its cancel(), hence the flag comes first.
bool GatherBase::cancel_children(std::string_view message) noexcept {
  if (self_.done()) return false;
  const bool before = cancel_requested_.exchange(true);
  bool heard = false;
  for (const Watch& child : children_) {
    if (child.state().done()) continue;
    if (child.state().cancel(message)) {
      heard = true;
    } else {
      child.state().request_stop();
    }
  }
  if (!heard && !before) cancel_requested_ = false;
  return heard;
}

void GatherBase::child_ended(Watch& watch) noexcept {
  if (catches_) return;
  FutureState& child = watch.state();
  const bool cancelled = child.snapshot().phase() == Phase::cancelled;
  if (!child.retrieve_error() && !cancelled) return;
  if (!self_.start()) return;
  self_.end(child.error() ? self_.store_error(child.error()) : Phase::cancelled);
}

void GatherBase::all_ended() noexcept {
  if (self_.start()) self_.end(result());
  self_.release();
}

Phase GatherBase::result() noexcept {
  if (cancel_requested_) return Phase::cancelled;
  try {
    return collect();
  } catch (...) {
    return self_.store_error(std::current_exception());
  }
}

// Not cancel(), which asks the children.
void GatherBase::abandoned() noexcept {
  if (self_.start()) self_.end(Phase::cancelled);
}

}  // namespace plait::detail
