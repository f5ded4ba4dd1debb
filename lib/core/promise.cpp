// What a promise says about its own misuse.
#include <plait/core/promise.hpp>

#include <string>

#include <plait/core/errors.hpp>

namespace plait::detail {

std::exception_ptr broken_promise() {
  return std::make_exception_ptr(InvalidStateError(
      "the Promise was destroyed without a result: call set_result() or set_exception() first"));
}

void throw_cannot_run(const FutureState& state) {
  const bool finished = state.done();
  throw InvalidStateError(std::string("set_running_or_notify_cancel() on a future that is ") +
                          (finished ? "finished" : "running") + ": call it once, before the work");
}

}  // namespace plait::detail
