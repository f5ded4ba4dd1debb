// What coroutines report of their misuse.
#include <plait/core/coroutine.hpp>

#include <plait/core/errors.hpp>

#include "core/live_schedulers.hpp"

namespace plait::detail {

void report_never_awaited(const Frame& frame) noexcept {
  if (!running_loop || !running_loop->in_debug_mode()) return;
  report_made(
      *running_loop,
      [&frame] { return "coroutine '" + describe_frame(frame) + "' was never awaited"; }, nullptr);
}

void throw_no_coroutine() {
  throw InvalidStateError(
      "a Coroutine was awaited or started that was moved from or awaited before: a coroutine runs "
      "once, call its function again for another one");
}

void throw_needs_loop(const OperationBase& operation) {
  throw RuntimeError("no running event loop: " + operation.what() +
                     " waits on a loop, and this coroutine runs on an executor. There it can await "
                     "coroutines, futures, fork_join() and gather(); for the rest give it to a "
                     "loop by create_task() or run_coroutine_threadsafe()");
}

}  // namespace plait::detail
