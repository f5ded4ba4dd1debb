// The slow half of forking: joining what ran elsewhere, cancellation, contexts.
#include <plait/core/detail/fork.hpp>

#include <utility>

#include <plait/core/cancelled_error.hpp>
#include <plait/core/coroutine.hpp>
#include <plait/core/detail/coroutine_job.hpp>

namespace plait::detail {

Frame* Fork::leave() noexcept {
  const std::uint32_t count = execution.joining;
  if (owner_.load() == execution.forks) {
    disown(*parent_);
    owner_ = nullptr;
  }
  Frame* const parent = parent_;
  return pending_.fetch_sub(count) == count ? parent : nullptr;
}

// None of these can end here: each has a child that has not ended, the one on the way to the leaf.
void Fork::disown(Frame& leaf) noexcept {
  Frame* frame = &leaf;
  for (;;) {
    while (Frame* const parent = frame->parent()) frame = parent;
    Fork* const fork = frame->fork();
    if (!fork || fork->owner_.load() != execution.forks) return;
    frame = fork->parent_;
    fork->owner_ = nullptr;
    if (fork->ended_here_ > 0) fork->pending_ -= fork->ended_here_;
  }
}

std::coroutine_handle<> Fork::stop_to_join(std::uint32_t count) noexcept {
  execution.joining = count;
  execution.stop = this;
  return std::noop_coroutine();
}

void Fork::call_helpers() const noexcept { job_->host().call_helpers(); }

void Fork::restore_context() const noexcept {
  if (current_context) (void)ContextRef::adopt(std::exchange(current_context, nullptr));
  if (context_) current_context = ContextRef(context_).detach();
}

// A child that met the request has left it for its parent, whose CancelledError this now is.
void Fork::rethrow(std::exception_ptr error) const {
  try {
    std::rethrow_exception(std::move(error));
  } catch (const CancelledError&) {
    if (job_->cancel_requested()) (void)job_->take_cancellation(*parent_);
    throw;
  }
}

void Fork::throw_cancelled(const Frame& parent) {
  std::rethrow_exception(execution.job->take_cancellation(parent));
}

}  // namespace plait::detail
