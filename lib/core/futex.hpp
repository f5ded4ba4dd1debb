// Sleeping on a 32-bit word until another thread wakes it: Linux's futex, with deadlines.
#pragma once

#include <cstdint>

#include <plait/core/detail/future_state.hpp>

namespace plait::detail {

/// Sleeps if `*word` still is `expected`. False: the deadline has passed. True: look again, a
/// wake-up may be spurious.
bool futex_wait(const std::uint32_t* word, std::uint32_t expected, Deadline deadline) noexcept;

/// Wakes up to `count` threads that sleep on `word`; the memory may be gone already.
void futex_wake(const std::uint32_t* word, int count) noexcept;

}  // namespace plait::detail
