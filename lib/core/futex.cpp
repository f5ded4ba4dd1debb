// Sleeping on a 32-bit word: the two system calls.
#include "core/futex.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

namespace plait::detail {

bool futex_wait(const std::uint32_t* word, std::uint32_t expected, Deadline deadline) noexcept {
  timespec until{};
  const timespec* until_or_null = nullptr;
  if (deadline) {
    // Clock is CLOCK_MONOTONIC, the clock of FUTEX_WAIT_BITSET.
    const auto since_boot = deadline->time_since_epoch();
    const auto seconds = std::chrono::floor<std::chrono::seconds>(since_boot);
    until.tv_sec = static_cast<time_t>(seconds.count());
    until.tv_nsec = static_cast<long>(std::chrono::nanoseconds(since_boot - seconds).count());
    if (until.tv_sec < 0) return false;
    until_or_null = &until;
  }
  const long result = syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, expected, until_or_null,
                              nullptr, FUTEX_BITSET_MATCH_ANY);
  return result == 0 || errno != ETIMEDOUT;
}

void futex_wake(const std::uint32_t* word, int count) noexcept {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
}

}  // namespace plait::detail
