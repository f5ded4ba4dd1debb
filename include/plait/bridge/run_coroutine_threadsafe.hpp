// run_coroutine_threadsafe: a coroutine for a loop that runs in another thread.
#pragma once

#include <utility>

#include <plait/core/coroutine.hpp>
#include <plait/core/future.hpp>
#include <plait/loop/event_loop.hpp>

namespace plait::detail {

/// Hands a new task to its loop. @throws RuntimeError if that is closed; `task` is destroyed then
void post_task(LoopCore& core, TaskBase& task);

}  // namespace plait::detail

namespace plait::aio {

/// Runs `coro` as a task of `loop`, which any thread may run, and gives the task's future.
///
/// The task takes its first step when the loop gets to it: at once where it runs, else when it is
/// run. It has the context variables of the calling thread. result() blocks in every thread but the
/// one in which the loop runs, where it throws InvalidStateError; there, await it.
/// **Python:** as there, but the future is done when the task is done, not before.
/// **Threads:** any, the loop's too. **Cancellation:** of the future, in any thread, is that of the
/// task, which may refuse; before the first step the coroutine does not even start. Closing the
/// loop cancels it.
/// @throws RuntimeError if the loop is closed; InvalidStateError for a coroutine that was moved
/// from
template <class T>
Future<T> run_coroutine_threadsafe(Coroutine<T> coro, EventLoop& loop) {
  using State = plait::detail::TaskState<T>;
  auto& core = plait::detail::core_of(loop);
  auto* const task =
      new State(core, plait::detail::release_frame(coro), plait::detail::FromAnyThread());
  auto future = plait::detail::make_future(
      plait::detail::StateRef<plait::detail::ValueState<T>>::adopt(task));
  plait::detail::post_task(core, *task);
  return future;
}

}  // namespace plait::aio
