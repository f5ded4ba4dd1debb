// The steps of a task, and its end where the loop is closed first.
#include <plait/loop/detail/task_state.hpp>

#include <memory>
#include <new>
#include <utility>

#include <plait/core/cancelled_error.hpp>

#include "core/live_schedulers.hpp"
#include "core/wait_graph.hpp"

namespace plait::detail {

namespace {

// Carries a cancel() from another thread to the task's loop.
class CancelRequest final : public Runnable {
 public:
  CancelRequest(FutureState& task, std::string_view message)
      : task_(StateRef<FutureState>::share(task)), message_(message) {}

  void run() noexcept override {
    task_->cancel(message_);
    delete this;
  }
  void abandon() noexcept override { delete this; }
  std::string describe() const override { return "cancel() of " + task_->describe(); }

 private:
  const StateRef<FutureState> task_;
  const std::string message_;
};

}  // namespace

// The first step of an eager task, inside of another one's.
bool TaskBase::step_on_top() noexcept {
  const Execution below = std::exchange(execution, {});
  const bool ended = step_in_loop();
  execution = below;
  return ended;
}

bool TaskBase::request_cancel(std::string_view message) noexcept {
  if (running_loop != state().owner() && !in_own_thread()) return post_cancel(message);
  if (state().done()) {
    state().retrieve_error();  // who cancels a failed task need not know why, as in Python
    return false;
  }
  return cancel_here(message);
}

// Each task asks the one that it awaits. A long chain of them must not exhaust the stack: now and
// then the request goes on in the next iteration.
bool TaskBase::cancel_here(std::string_view message) noexcept {
  constexpr int deepest = 200;
  static constinit thread_local int depth = 0;
  if (depth >= deepest) return post_cancel(message);
  ++depth;
  const bool taken = Fiber::cancel(message);
  --depth;
  return taken;
}

bool TaskBase::in_own_thread() noexcept {
  return !state().snapshot().has(from_any_thread) && live_in_this_thread(state().owner());
}

bool TaskBase::post_cancel(std::string_view message) noexcept {
  std::unique_ptr<CancelRequest> request;
  try {
    request = std::make_unique<CancelRequest>(state(), message);
  } catch (const std::bad_alloc&) {
    return false;
  }
  MutexLock lock(owners_mutex());
  if (state().done() || !core().push_from_outside_locked(*request)) return false;
  (void)request.release();  // it deletes itself
  return true;
}

std::string TaskBase::describe() const {
  if (state().done()) return "task '" + name() + "'";
  return started() ? "wake-up of " + name() : "first step of " + name();
}

std::exception_ptr TaskBase::destroy_pending() noexcept {
  LoopCore& loop = core();
  Frame& root = give_frames_up();
  report_made(
      loop,
      [this] {
        return "Task was destroyed but it is pending! " + name() +
               " was not done when its event loop was closed";
      },
      nullptr);
  destroy_frame(root);
  loop.remove_task(*this);
  return std::make_exception_ptr(CancelledError("the event loop was closed"));
}

}  // namespace plait::detail
