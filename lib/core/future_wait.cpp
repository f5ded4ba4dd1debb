// How a fiber waits for a future, and what its cancellation does to that.
#include <plait/core/detail/future_wait.hpp>

#include <plait/core/cancelled_error.hpp>
#include <plait/core/detail/fiber.hpp>
#include <plait/core/errors.hpp>

#include "core/strand.hpp"

namespace plait::detail {

bool FutureWait::suspend(Frame& frame) noexcept {
  fiber_ = execution.fiber;
  if (!fiber_) return suspend_strand(frame);
  if (state_.owner() != &fiber_->scheduler() && !may_wait()) return false;
  if (fiber_->cancel_pending() && !wait_in_spite_of_cancellation()) return false;
  if (&state_ == &fiber_->state()) {
    error_ =
        std::make_exception_ptr(RuntimeError("Task cannot await on itself: " + state_.describe()));
    return false;
  }
  fiber_->suspend(frame, *this);
  if (state_.add_waiter(*this)) return true;
  fiber_->unsuspend();
  return false;
}

// Whether it really waits is decided when its thread has left it: see Strand::leave().
bool FutureWait::suspend_strand(Frame& frame) noexcept {
  CoroutineJob& job = *execution.job;
  try {
    if (&state_ == &job.state()) {
      throw RuntimeError("a coroutine cannot await its own result: " + state_.describe());
    }
    strand_ = new Strand(job, frame, *this);
  } catch (...) {
    error_ = std::current_exception();
    return false;
  }
  execution.stop = strand_;
  return true;
}

// A future that another owner, or nobody, will end. False: with an error that the await throws.
bool FutureWait::may_wait() noexcept {
  if (!state_.owner()) return true;
  if (state_.snapshot().has(of_loop)) {
    error_ = std::make_exception_ptr(
        RuntimeError("attached to a different loop: " + fiber_->state().describe() + " awaits " +
                     state_.describe() + "; await it in a task of that loop"));
    return false;
  }
  outside_ = true;
  fiber_->scheduler().expect_outside(1);
  return true;
}

// A request came before the wait: it goes to what is awaited, which is then waited for.
bool FutureWait::wait_in_spite_of_cancellation() noexcept {
  auto error = fiber_->take_cancellation();
  if (cancel_awaited()) return true;
  error_ = std::move(error);
  return false;
}

void FutureWait::notify(FutureState&) noexcept {
  if (fiber_) {
    fiber_->wake_from_any_thread();
  } else {
    strand_->wake();
  }
}

Interrupted FutureWait::interrupt() noexcept {
  if (cancel_awaited()) return Interrupted::passed_on;
  return state_.remove_waiter(*this) ? Interrupted::gave_up : Interrupted::too_late;
}

bool FutureWait::cancel_awaited() noexcept {
  const std::string_view message = fiber_ ? fiber_->cancel_message() : std::string_view();
  passed_on_ = !state_.done() && state_.cancel(message);
  if (!passed_on_) state_.request_stop();
  return passed_on_;
}

FutureState* FutureWait::waiting_state() const noexcept {
  return fiber_ ? &fiber_->state() : &strand_->job().state();
}

void FutureWait::resume_slowly() {
  if (outside_) fiber_->scheduler().expect_outside(-1);
  if (error_) std::rethrow_exception(error_);
  // A cancelled future that knows no reason: the one that came with the request is right.
  if (passed_on_ && state_.snapshot().phase() == Phase::cancelled && !state_.error()) {
    if (!fiber_) throw CancelledError();
    std::rethrow_exception(fiber_->make_cancelled_error());
  }
}

}  // namespace plait::detail
