// The clock and the unit of time that every part of plait uses.
#pragma once

#include <chrono>

namespace plait {

/// The clock of every deadline: monotonic, so a change of the wall clock moves nothing.
///
/// **Python:** time.monotonic().
using Clock = std::chrono::steady_clock;

/// The unit of every delay and timeout; any std::chrono duration converts to it.
using Duration = std::chrono::nanoseconds;

}  // namespace plait

namespace plait::detail {

/// The moment `timeout` from now; Clock's maximum where the sum would overflow.
inline Clock::time_point deadline_after(Duration timeout) {
  const auto now = Clock::now();
  return timeout > Clock::time_point::max() - now ? Clock::time_point::max() : now + timeout;
}

/// Any duration as a Duration, clamped to its range: hours::max() must not wrap to the past.
template <class Rep, class Period>
constexpr Duration clamp_duration(std::chrono::duration<Rep, Period> timeout) {
  using Seconds = std::chrono::duration<long double>;
  const Seconds wide = timeout;
  if (wide >= Seconds(Duration::max())) return Duration::max();
  if (!(wide > Seconds(Duration::min()))) return Duration::min();  // not-a-number, too
  return std::chrono::duration_cast<Duration>(timeout);
}

}  // namespace plait::detail
