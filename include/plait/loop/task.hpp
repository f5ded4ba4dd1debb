// Task: a coroutine that a loop runs, and its future.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <plait/core/future.hpp>
#include <plait/loop/detail/task_state.hpp>
#include <plait/loop/loop_options.hpp>

namespace plait::aio {
class EventLoop;
template <class T>
class Task;
}  // namespace plait::aio

namespace plait::detail {
/// The first handle to a new task.
template <class T>
aio::Task<T> make_task(TaskState<T>& state) noexcept;
}  // namespace plait::detail

namespace plait::aio {

/// A coroutine that runs on a loop beside others; the handle to it is also the future of its
/// result.
///
/// Made by create_task(). The loop holds a task until it is done, so dropping the handle changes
/// nothing. A task that failed and whose error nobody asked for is reported to the loop's exception
/// handler. **Python:** asyncio.Task, but held strongly. **Threads:** the Future's members as
/// there; the others in the loop's thread, but for cancel(): any.
template <class T = void>
class Task : public Future<T> {
 public:
  /// A handle without a task: valid() is false.
  Task() noexcept = default;

  /// Asks the task to end: the await at which it waits, or the next one, throws
  /// CancelledError(msg).
  ///
  /// The request goes through to what the task awaits: another task, a queued job, a running job's
  /// stop token. The coroutine may catch it, so the task need not end, and is cancelled() only once
  /// it has. **Threads:** any. @returns false if it is done already
  bool cancel(std::string msg = {}) const { return state("cancel()").cancel(msg); }
  /// How many cancel() calls were not undone by uncancel().
  int cancelling() const { return fiber("cancelling()").cancelling(); }
  /// Takes one cancel() back; if it was the last and has not been delivered, it never is.
  /// @returns how many are left
  int uncancel() const { return fiber("uncancel()").uncancel(); }

  /// The name that create_task() or set_name() gave, else "Task-N".
  std::string get_name() const { return fiber("get_name()").name(); }
  /// Gives it another name.
  void set_name(std::string name) const { fiber("set_name()").set_name(std::move(name)); }
  /// One line a suspended frame, innermost last; none once it is done.
  std::vector<std::string> get_stack() const { return fiber("get_stack()").stack(); }

 private:
  friend class AnyTask;
  friend Task detail::make_task<T>(detail::TaskState<T>&) noexcept;

  explicit Task(Future<T> future) noexcept : Future<T>(std::move(future)) {}

  detail::TaskState<T>& state(const char* member) const {
    auto* const state = detail::state_of(static_cast<const Future<T>&>(*this));
    if (!state) detail::throw_no_state(member);
    return static_cast<detail::TaskState<T>&>(*state);
  }
  detail::TaskBase& fiber(const char* member) const { return state(member); }
};

/// A handle to a task whose result does not matter.
///
/// **Python:** what current_task() and all_tasks() return. **Threads:** as Task.
class AnyTask {
 public:
  /// A handle to `task`.
  template <class T>
  AnyTask(const Task<T>& task)  // NOLINT(google-explicit-constructor): any task is an AnyTask
      : AnyTask(task.fiber("AnyTask()")) {}

  /// See Task.
  std::string get_name() const { return task_->name(); }
  /// True once it has ended.
  bool done() const { return state_->done(); }
  /// See Task.
  bool cancel(std::string msg = {}) const { return state_->cancel(msg); }
  /// See Task.
  int cancelling() const { return task_->cancelling(); }
  /// See Task.
  int uncancel() const { return task_->uncancel(); }
  /// Whether two handles stand for the same task.
  friend bool operator==(const AnyTask& a, const AnyTask& b) noexcept { return a.task_ == b.task_; }

 private:
  friend std::optional<AnyTask> current_task();
  friend std::vector<AnyTask> all_tasks(EventLoop& loop);

  explicit AnyTask(detail::TaskBase& task) noexcept
      : state_(detail::StateRef<detail::FutureState>::share(task.state())), task_(&task) {}

  detail::StateRef<detail::FutureState> state_;
  detail::TaskBase* task_;
};

/// The task that runs now; none in a callback. @throws RuntimeError outside of a running loop
std::optional<AnyTask> current_task();
/// The tasks of the running loop that are not done. @throws RuntimeError outside of a running loop
std::vector<AnyTask> all_tasks();
/// As above, of any loop. **Threads:** that loop's.
std::vector<AnyTask> all_tasks(EventLoop& loop);

}  // namespace plait::aio

// Implementation

namespace plait::detail {

template <class T>
aio::Task<T> make_task(TaskState<T>& state) noexcept {
  return aio::Task<T>(make_future(StateRef<ValueState<T>>::adopt(&state)));
}

}  // namespace plait::detail
