// What a TaskGroup refers to: the tasks of one scope and the task that waits for them.
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include <plait/core/coroutine.hpp>
#include <plait/core/detail/frame_memory.hpp>
#include <plait/loop/detail/task_state.hpp>

namespace plait::detail {

/// The children of one scope, and what has gone wrong with them. Loop thread only.
class TaskGroupState {
 public:
  /// Enters the scope in the running task. @throws RuntimeError outside of one
  TaskGroupState();
  TaskGroupState(const TaskGroupState&) = delete;
  TaskGroupState& operator=(const TaskGroupState&) = delete;
  ~TaskGroupState() { leave(); }

  LoopCore& core() const noexcept { return parent_->core(); }
  /// Throws RuntimeError where the group takes no more tasks.
  void check_accepts() const;
  /// Room for a child, made before the task so that a new task is never lost.
  class Child;
  struct ChildDeleter {
    void operator()(Child* child) const noexcept;
  };
  using NewChild = std::unique_ptr<Child, ChildDeleter>;
  NewChild make_child();
  void add(NewChild child, FutureState& task) noexcept;
  /// See aio::TaskGroup::cancel().
  void cancel() noexcept;

  // -- for the scope
  /// The body has ended; null: with a value.
  void body_ended(std::exception_ptr error) noexcept;
  bool has_children() const noexcept { return children_ || failing_; }
  /// An operation that ends with the last child.
  Coroutine<> last_child();
  /// The wait for the children was cancelled.
  void wait_cancelled(std::exception_ptr error) noexcept;
  /// All have ended: throws what the scope ends with.
  void finish();
  /// The scope is over, or its frame is being destroyed: nothing is watched any more.
  void leave() noexcept;

 private:
  class WaitForChildren;

  // A failure takes its effect an iteration later, so that tasks that fail in the same one are all
  // heard.
  class Failure final : public Runnable {
   public:
    explicit Failure(TaskGroupState& group) noexcept : group_(group) {}
    void run() noexcept override { group_.fail(); }
    std::string describe() const override { return "failure of a task group"; }

   private:
    TaskGroupState& group_;
  };

  void fail() noexcept;
  void abort_children() noexcept;
  void cancel_parent() noexcept;
  void child_ended(Child& child) noexcept;
  void keep_error(const std::exception_ptr& error) noexcept;
  void unlink(Child& child) noexcept;

  TaskBase* parent_;                        // null: the scope is over
  Child* children_ = nullptr;               // newest first
  WaitForChildren* waiting_ = nullptr;      // the parent, at the end of the scope
  std::vector<std::exception_ptr> errors_;  // in the order in which they happened
  std::exception_ptr body_error_;
  std::exception_ptr cancellation_;  // of the parent, from outside
  Failure failure_{*this};
  bool failing_ = false;  // failure_ is in the loop's queue, so the scope has to wait
  bool exiting_ = false;
  bool aborting_ = false;
  bool parent_cancelled_ = false;  // by the group: to be taken back
};

}  // namespace plait::detail
