// What a Task refers to: a fiber of a loop, with its future's state.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <plait/core/detail/context_state.hpp>
#include <plait/core/detail/fiber.hpp>
#include <plait/core/detail/value_state.hpp>
#include <plait/loop/detail/loop_core.hpp>

namespace plait::detail {

/// The part of a task that does not depend on its result. The loop holds one of the references
/// until the task is done. Loop thread only.
class TaskBase : public Fiber {
 public:
  TaskBase(FutureState& state, Frame& root, std::uint32_t id) noexcept
      : Fiber(state, root, id), context_(share_context()) {}

  LoopCore& core() const noexcept { return static_cast<LoopCore&>(*state().owner()); }
  /// Runs one step, as current_task() and with its own context; true: ended.
  bool step_in_loop() noexcept;
  /// Runs in: any thread. See FutureState::cancel().
  bool request_cancel(std::string_view message) noexcept;
  std::string describe() const;

 protected:
  ~TaskBase() = default;
  /// Destroys the frames of a task whose loop is being closed, and reports it.
  std::exception_ptr destroy_pending() noexcept;

 private:
  friend class LoopCore;

  bool step_on_top() noexcept;
  bool in_own_thread() noexcept;
  bool post_cancel(std::string_view message) noexcept;
  bool cancel_here(std::string_view message) noexcept;

  TaskBase* previous_ = nullptr;  // the loop's list of tasks
  TaskBase* next_ = nullptr;
  ContextRef context_;
};

inline bool TaskBase::step_in_loop() noexcept {
  if (execution.fiber) [[unlikely]]
    return step_on_top();
  execution.fiber = this;
  const ContextScope scope(context_);
  const bool ended = step();
  execution.fiber = nullptr;
  return ended;
}

/// Chooses the constructor of a task that is made outside of its loop's thread.
struct FromAnyThread {};

template <class T>
class TaskState final : public ValueState<T>, public TaskBase, public Recycled<TaskState<T>> {
 public:
  using Recycled<TaskState<T>>::operator new;
  using Recycled<TaskState<T>>::operator delete;

  /// Two references: the loop's and the first handle's.
  TaskState(LoopCore& core, TypedFrame<T>& root) noexcept
      : ValueState<T>(&core, 2, of_loop), TaskBase(*this, root, core.next_task_id()) {
    core.add_task(*this);
  }
  /// As above, in any thread: post_task() makes it known to the loop.
  TaskState(LoopCore& core, TypedFrame<T>& root, FromAnyThread) noexcept
      : ValueState<T>(&core, 2, of_loop | from_any_thread),
        TaskBase(*this, root, LoopCore::next_task_id_of_thread()) {}

  /// Runs in: the loop. Takes the next step.
  void run() noexcept override {
    if (step_in_loop()) finish();
  }
  bool cancel(std::string_view message = {}) noexcept override { return request_cancel(message); }
  std::string describe() const override { return TaskBase::describe(); }
  /// Runs in: the loop, which is being closed; the task is not done, and nothing will wake it.
  void abandon() noexcept override { this->end(this->store_error(destroy_pending()), true); }

 private:
  // Apart, so that a step that does not end the task has few registers to save.
  [[gnu::noinline]] void finish() noexcept {
    auto& root = static_cast<TypedFrame<T>&>(leaf());
    const Phase phase = take_result(root);
    destroy_frame(root);
    core().remove_task(*this);
    this->end(phase, true);
  }
  Phase take_result(TypedFrame<T>& root) noexcept {
    if (!started()) return this->store_error(take_cancellation());
    if (root.result.failed()) return this->store_error(root.result.take_error());
    if (cancel_pending()) return this->store_error(take_cancellation());  // no await has met it
    try {
      this->emplace_with([&] { return root.result.value(); });
      return Phase::finished;
    } catch (...) {
      return this->store_error(std::current_exception());
    }
  }
};

}  // namespace plait::detail
