// The queue of one worker.
#pragma once

#include <plait/core/detail/future_state.hpp>
#include <plait/core/detail/work_stealing_deque.hpp>

namespace plait::detail {

/// Jobs, each with a reference that goes to whoever takes it.
using JobDeque = WorkStealingDeque<FutureState>;

}  // namespace plait::detail
