// The steps of a task, and its end where the loop is closed first.
#include <plait/loop/detail/task_state.hpp>

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

bool TaskBase::request_cancel(std::string_view message) noexcept {
  if (running_loop != state().owner() && !in_own_thread()) return post_cancel(message);
  if (state().done()) {
    state().retrieve_error();  // who cancels a failed task need not know why, as in Python
    return false;
  }
  if (delivering_cancellation()) return false;
  Fiber::cancel(message);
  return true;
}

bool TaskBase::in_own_thread() noexcept { return live_in_this_thread(state().owner()) != nullptr; }

bool TaskBase::post_cancel(std::string_view message) noexcept {
  auto* const request = new (std::nothrow) CancelRequest(state(), message);
  MutexLock lock(owners_mutex());
  if (!request || state().done()) {
    delete request;
    return false;
  }
  if (!core().push_from_outside_locked(*request)) request->abandon();
  return true;
}

std::string TaskBase::describe() const {
  if (state().done()) return "task '" + name() + "'";
  return started() ? "wake-up of " + name() : "first step of " + name();
}

std::exception_ptr TaskBase::destroy_pending() noexcept {
  LoopCore& loop = core();
  try {
    loop.report("Task was destroyed but it is pending! " + name() +
                    " was not done when its event loop was closed",
                nullptr);
  } catch (const std::bad_alloc&) {
    loop.report({}, nullptr);
  }
  unsuspend();  // a destructor may call cancel(), and what it waited for is destroyed first
  destroy_frame(root());
  loop.remove_task(*this);
  return std::make_exception_ptr(CancelledError("the event loop was closed"));
}

}  // namespace plait::detail
