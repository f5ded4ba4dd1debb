// The owner of states that threads end of which plait knows nothing.
#pragma once

#include <plait/core/detail/future_state.hpp>

namespace plait::detail {

/// Owns a state whose end comes from outside of every loop and pool: the clock of a loop with
/// virtual time stands still while a task waits for it. Lives for ever.
JobOwner& outside_owner() noexcept;

}  // namespace plait::detail
