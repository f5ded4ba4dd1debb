// sleep and yield: letting others run, for a time or once.
#pragma once

#include <chrono>
#include <concepts>
#include <utility>

#include <plait/core/clock.hpp>
#include <plait/core/coroutine.hpp>

namespace plait::detail {

/// Nanoseconds of a delay in floating point. @throws std::invalid_argument for not-a-number
Duration checked_delay(std::chrono::duration<long double> delay);

}  // namespace plait::detail

namespace plait::aio {

/// Lets the others run for `delay`; for one iteration if that is zero or less.
///
/// **Python:** as there. **Threads:** a coroutine on a loop. **Cancellation:** at once.
Coroutine<> sleep(Duration delay);
/// As above, for any other unit; more than a Duration can hold is its end. @throws
/// std::invalid_argument for not-a-number
template <class Rep, class Period>
Coroutine<> sleep(std::chrono::duration<Rep, Period> delay) {
  if constexpr (std::floating_point<Rep>) {
    return sleep(plait::detail::checked_delay(delay));
  } else {
    return sleep(plait::detail::clamp_duration(delay));
  }
}
/// As sleep(), and gives `value`.
template <class T>
Coroutine<T> sleep(Duration delay, T value) {
  co_await sleep(delay);
  co_return std::move(value);
}
/// Lets the others run for one iteration: sleep(0). **Python:** asyncio.sleep(0).
Coroutine<> yield();

}  // namespace plait::aio
