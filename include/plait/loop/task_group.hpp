// TaskGroup: tasks that do not outlive a scope.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include <plait/core/coroutine.hpp>
#include <plait/core/exception_group.hpp>
#include <plait/loop/awaitable.hpp>
#include <plait/loop/detail/task_group_state.hpp>
#include <plait/loop/event_loop.hpp>

namespace plait::detail {
class TaskGroupScope;
}  // namespace plait::detail

namespace plait::aio {

/// The tasks of one task_group(), for its body. A copyable handle, which refuses tasks once the
/// scope has ended.
///
/// **Python:** asyncio.TaskGroup. **Threads:** the loop's.
class TaskGroup {
 public:
  /// Starts `coro` as a task that the scope waits for.
  /// @throws RuntimeError if the group is finished, or shutting down after a failure or cancel()
  template <class T>
  Task<T> create_task(Coroutine<T> coro, TaskOptions options = TaskOptions()) {
    state_->check_accepts();
    auto child = state_->make_child();
    auto task = aio::create_task(std::move(coro), options);
    state_->add(std::move(child), *plait::detail::state_of(static_cast<const Future<T>&>(task)));
    return task;
  }
  /// Cancels the body and the tasks that are not done; the scope then ends without an error of its
  /// own. **Python:** new in 3.15.
  void cancel() { state_->cancel(); }

 private:
  friend class plait::detail::TaskGroupScope;
  explicit TaskGroup(std::shared_ptr<plait::detail::TaskGroupState> state) noexcept
      : state_(std::move(state)) {}

  std::shared_ptr<plait::detail::TaskGroupState> state_;
};

}  // namespace plait::aio

namespace plait::detail {

/// A group from the first step of its body to the end of its last task.
class TaskGroupScope {
 public:
  TaskGroupScope() : state_(std::make_shared<TaskGroupState>()), group_(state_) {}
  TaskGroupScope(const TaskGroupScope&) = delete;
  TaskGroupScope& operator=(const TaskGroupScope&) = delete;
  ~TaskGroupScope() { state_->leave(); }

  aio::TaskGroup& group() noexcept { return group_; }
  TaskGroupState& state() noexcept { return *state_; }

 private:
  const std::shared_ptr<TaskGroupState> state_;
  aio::TaskGroup group_;
};

/// Waits for the children, however often it is cancelled, and throws what went wrong.
Coroutine<> end_task_group(TaskGroupState& group);

/// Throws CancelledError: a body that was to give a result was cancelled by its group.
[[noreturn]] void throw_no_result();

template <class T, class F>
Coroutine<T> run_task_group(F body) {
  TaskGroupScope scope;
  std::optional<aio::NonVoid<T>> result;
  try {
    if constexpr (std::is_void_v<T>) {
      co_await std::invoke(body, scope.group());
      result.emplace();
    } else {
      result.emplace(co_await std::invoke(body, scope.group()));
    }
    scope.state().body_ended(nullptr);
  } catch (...) {
    scope.state().body_ended(std::current_exception());
  }
  co_await end_task_group(scope.state());
  if constexpr (!std::is_void_v<T>) {
    if (!result) throw_no_result();
    co_return std::move(*result);
  }
}

}  // namespace plait::detail

namespace plait::aio {

/// Runs `body(TaskGroup&)`, a coroutine, and ends when it and all tasks of the group have ended.
///
/// The first failure cancels the other tasks and the body; when all have ended, their errors come
/// out as one ExceptionGroup. A cancelled task is no failure. `body` is kept until then, so a
/// lambda's captures live as long as its coroutine; for GCC 12 see timeout(). **Python:** `async
/// with asyncio.TaskGroup()`.
/// **Threads:** a task of a loop. **Cancellation:** cancels the tasks and the body, and comes out
/// when they have ended, unless there was an error. After TaskGroup::cancel() the scope ends
/// without one, but where the body has no result to give: CancelledError.
/// @throws ExceptionGroup; RuntimeError outside of a task
template <class F>
auto task_group(F body) -> std::invoke_result_t<F&, TaskGroup&> {
  using T = Awaited<std::invoke_result_t<F&, TaskGroup&>>;
  return plait::detail::run_task_group<T, F>(std::move(body));
}

}  // namespace plait::aio
