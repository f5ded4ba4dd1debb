// The small structures that an EventLoop takes and hands out.
#pragma once

#include <exception>
#include <string>
#include <string_view>

namespace plait::aio {

/// The keyword arguments of EventLoop, run() and Runner.
struct LoopOptions {
  bool debug = false;         ///< more checks and warnings: see EventLoop::set_debug()
  bool virtual_time = false;  ///< an idle loop jumps to its next timer instead of sleeping
};

/// The keyword arguments of create_task(). Made to live for the call only.
struct TaskOptions {
  std::string_view name{};   ///< "Task-N" where empty; copied at once
  bool eager_start = false;  ///< run to the first wait inside of create_task()
};

/// What an exception handler is told. **Python:** the context dictionary.
struct ExceptionContext {
  std::string message;           ///< what happened, and to which handle, task or future
  std::exception_ptr exception;  ///< null where there was none
};

}  // namespace plait::aio
