// Who cancels whom in a task group, and what comes out of it.
#include <plait/loop/task_group.hpp>

#include <plait/core/cancelled_error.hpp>
#include <plait/core/errors.hpp>

#include "loop/is_cancellation.hpp"

namespace plait::detail {

// Watches one task; linked into its group's list.
class TaskGroupState::Child final : public Waiter, public Recycled<Child> {
 public:
  explicit Child(TaskGroupState& group) noexcept : group_(group) {}

  void notify(FutureState&) noexcept override { group_.child_ended(*this); }
  FutureState* waiting_state() const noexcept override { return &group_.parent_->state(); }

  FutureState* task = nullptr;  // its loop holds it while it is not done
  Child* previous = nullptr;
  Child* next = nullptr;

 private:
  TaskGroupState& group_;
};

// The parent at the end of the scope.
class TaskGroupState::WaitForChildren final : public Operation<void>,
                                              public Recycled<WaitForChildren> {
 public:
  explicit WaitForChildren(TaskGroupState& group) noexcept : group_(group) {}
  ~WaitForChildren() override { forget(); }

  bool ready() override { return !group_.has_children(); }
  void suspend() noexcept override {
    group_.waiting_ = this;
    fiber->suspend(*this, *this);
  }
  Interrupted interrupt() noexcept override {
    if (group_.waiting_ != this) return Interrupted::too_late;
    forget();
    return Interrupted::gave_up;
  }
  void last_child_ended() noexcept {
    forget();
    fiber->wake();
  }
  std::string what() const override { return "end of a task group"; }

 private:
  void forget() noexcept {
    if (group_.waiting_ == this) group_.waiting_ = nullptr;
  }

  TaskGroupState& group_;
};

TaskGroupState::TaskGroupState() : parent_(require_running_core().current_task()) {
  if (!parent_) {
    throw RuntimeError(
        "TaskGroup cannot determine the parent task: give the coroutine to create_task()");
  }
}

void TaskGroupState::ChildDeleter::operator()(Child* child) const noexcept { delete child; }

// ---------------------------------------------------------------- children

void TaskGroupState::check_accepts() const {
  if (!parent_ || (exiting_ && !has_children())) {
    throw RuntimeError("TaskGroup is finished: create its tasks before its scope ends");
  }
  if (aborting_) {
    throw RuntimeError("TaskGroup is shutting down, as a task has failed or it was cancelled");
  }
}

TaskGroupState::NewChild TaskGroupState::make_child() { return NewChild(new Child(*this)); }

void TaskGroupState::add(NewChild owned, FutureState& task) noexcept {
  Child& child = *owned.release();
  child.task = &task;
  child.next = children_;
  if (children_) children_->previous = &child;
  children_ = &child;
  if (!task.add_waiter(child)) child_ended(child);  // it was started eagerly
}

void TaskGroupState::unlink(Child& child) noexcept {
  if (child.next) child.next->previous = child.previous;
  (child.previous ? child.previous->next : children_) = child.next;
  delete &child;
}

void TaskGroupState::child_ended(Child& child) noexcept {
  FutureState& task = *child.task;
  unlink(child);
  if (task.error() && task.snapshot().phase() != Phase::cancelled) {
    keep_error(task.retrieve_error());
    if (!std::exchange(failing_, true)) core().push(failure_);
  }
  if (!has_children() && waiting_) waiting_->last_child_ended();
}

void TaskGroupState::fail() noexcept {
  failing_ = false;
  if (!aborting_ && !parent_cancelled_) {
    abort_children();
    cancel_parent();
  }
  if (!has_children() && waiting_) waiting_->last_child_ended();
}

// Without memory to keep them apart, the first one has to stand for all.
void TaskGroupState::keep_error(const std::exception_ptr& error) noexcept {
  try {
    errors_.push_back(error);
  } catch (const std::bad_alloc&) {
    if (!errors_.empty()) return;
    body_error_ = error;
  }
}

// No task ends within its cancel(), so the list stays as it is meanwhile.
void TaskGroupState::abort_children() noexcept {
  aborting_ = true;
  for (Child* child = children_; child; child = child->next) child->task->cancel();
}

void TaskGroupState::cancel_parent() noexcept {
  parent_cancelled_ = true;
  parent_->cancel({});
}

void TaskGroupState::cancel() noexcept {
  if (!parent_ || (exiting_ && !has_children()) || aborting_) return;
  abort_children();
  cancel_parent();
}

// ---------------------------------------------------------------- the end of the scope

void TaskGroupState::body_ended(std::exception_ptr error) noexcept {
  exiting_ = true;
  if (!error) return;
  (is_cancellation(error) ? cancellation_ : body_error_) = std::move(error);
  if (!aborting_) abort_children();
}

Coroutine<> TaskGroupState::last_child() {
  return make_coroutine<void>(new WaitForChildren(*this));
}

void TaskGroupState::wait_cancelled(std::exception_ptr error) noexcept {
  if (aborting_) return;
  cancellation_ = std::move(error);
  abort_children();
}

void TaskGroupState::finish() {
  TaskBase& parent = *parent_;
  leave();
  // The count goes back to what it was; a cancellation by nobody else goes with it.
  const bool ours_only = parent_cancelled_ && parent.uncancel() == 0;
  if (cancellation_ && !ours_only && errors_.empty() && !body_error_) {
    std::rethrow_exception(cancellation_);
  }
  if (body_error_) errors_.push_back(body_error_);
  if (errors_.empty()) return;
  // The next await still has to meet a cancellation that these errors hide.
  if (parent.cancelling() > 0) {
    parent.uncancel();
    parent.cancel(parent.cancel_message());
  }
  throw ExceptionGroup("unhandled errors in a TaskGroup", std::move(errors_));
}

void TaskGroupState::leave() noexcept {
  while (Child* const child = children_) {
    child->task->remove_waiter(*child);
    unlink(*child);
  }
  parent_ = nullptr;
}

Coroutine<> end_task_group(TaskGroupState& group) {
  while (group.has_children()) {
    try {
      co_await group.last_child();
    } catch (...) {
      group.wait_cancelled(std::current_exception());
    }
  }
  group.finish();
}

void throw_no_result() {
  throw CancelledError("TaskGroup.cancel() has ended the body before it had a result");
}

}  // namespace plait::detail
