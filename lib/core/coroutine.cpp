// What coroutines report of their misuse.
#include <plait/core/coroutine.hpp>

#include <plait/core/errors.hpp>

namespace plait::detail {

void report_never_awaited(const Frame& frame) noexcept {
  if (!running_loop || !running_loop->in_debug_mode()) return;
  try {
    running_loop->report("coroutine '" + describe_frame(frame) + "' was never awaited", nullptr);
  } catch (const std::bad_alloc&) {
    running_loop->report({}, nullptr);
  }
}

void throw_no_coroutine() {
  throw InvalidStateError(
      "a Coroutine was awaited or started that was moved from or awaited before: a coroutine runs "
      "once, call its function again for another one");
}

}  // namespace plait::detail
