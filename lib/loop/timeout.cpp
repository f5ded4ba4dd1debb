// A deadline strikes: the task is cancelled, and that cancellation is told from all others.
#include <plait/loop/timeout.hpp>

#include <plait/core/cancelled_error.hpp>
#include <plait/core/errors.hpp>

#include "loop/is_cancellation.hpp"

namespace plait::detail {

void TimeoutState::enter() {
  LoopCore& core = require_running_core();
  task_ = core.current_task();
  if (!task_) {
    throw RuntimeError("Timeout should be used inside a task: give the coroutine to create_task()");
  }
  phase_ = Phase::entered;
  cancelling_ = task_->cancelling();
  set_timer();
}

void TimeoutState::reschedule(std::optional<Clock::time_point> when) {
  switch (phase_) {
    case Phase::created:
      throw RuntimeError("Timeout has not been entered");
    case Phase::entered:
      break;
    case Phase::left:
      throw RuntimeError("Cannot change state of finished Timeout");
    default:
      throw RuntimeError("Cannot change state of expired Timeout");
  }
  when_ = when;
  stop_timer();
  set_timer();
}

// What is due goes to the ready queue at once, so that it strikes before what is scheduled later.
void TimeoutState::set_timer() {
  if (!when_ || in_queue_) return;
  in_queue_ = shared_from_this();
  if (*when_ <= task_->core().time()) {
    task_->core().push(*this);
  } else {
    task_->core().timers().add(*this, *when_);
  }
}

void TimeoutState::stop_timer() noexcept {
  if (!armed()) return;
  task_->core().timers().remove(*this);
  in_queue_.reset();
}

void TimeoutState::run() noexcept {
  const auto self = std::move(in_queue_);
  if (phase_ != Phase::entered || !when_) return;
  if (*when_ > task_->core().time()) return set_timer();
  phase_ = Phase::expiring;
  task_->cancel({});
}

bool TimeoutState::leave() noexcept {
  if (!task_) return false;
  TaskBase& task = *std::exchange(task_, nullptr);
  const bool struck = phase_ == Phase::expiring;
  phase_ = struck ? Phase::expired : Phase::left;
  if (armed()) {
    task.core().timers().remove(*this);
    in_queue_.reset();
  }
  return struck && task.uncancel() <= cancelling_;
}

void TimeoutState::translate(const std::exception_ptr& error) {
  if (leave() && is_cancellation(error)) {
    throw TimeoutError(
        "the deadline of timeout() or wait_for() has passed, and its body was "
        "cancelled: give it more time, or catch this");
  }
}

std::string TimeoutState::describe() const {
  return task_ ? "timeout of " + task_->name() : std::string();
}

std::optional<Clock::time_point> deadline_from_now(std::optional<Duration> delay) {
  if (!delay) return std::nullopt;
  return require_running_core().deadline(*delay);
}

void throw_no_time() {
  throw TimeoutError(
      "wait_for() was given no time, and what it was to wait for was not done: it was cancelled");
}

}  // namespace plait::detail
