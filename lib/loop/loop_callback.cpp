// The life of a callback in a loop.
#include <plait/loop/detail/loop_callback.hpp>

#include <plait/loop/detail/loop_core.hpp>

#include "core/describe_exception.hpp"
#include "core/live_schedulers.hpp"

namespace plait::detail {

// True: the caller owns the callable now.
bool LoopCallback::leave_waiting(State next) noexcept {
  State waiting = State::waiting;
  return state_.compare_exchange_strong(waiting, next);
}

void LoopCallback::run() noexcept {
  if (leave_waiting(State::run)) {
    const ContextScope scope(context_);
    try {
      call();
    } catch (...) {
      report_made(
          core_, [this] { return "Exception in callback " + demangle(type()); },
          std::current_exception());
    }
    discard();
  }
  release();
}

void LoopCallback::abandon() noexcept {
  if (leave_waiting(State::cancelled)) discard();
  release();
}

void LoopCallback::cancel() noexcept {
  if (!leave_waiting(State::cancelled)) return;
  discard();
  if (armed()) {
    core_.timers().remove(*this);
    release();
  }
}

std::string LoopCallback::describe() const {
  return cancelled() ? std::string() : "callback " + demangle(type());
}

}  // namespace plait::detail
