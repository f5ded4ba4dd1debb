// Who runs a loop instead of run_forever().
#pragma once

#include <plait/core/detail/future_state.hpp>

namespace plait::detail {

/// How a turn of a loop has ended.
struct LoopTurn {
  bool more;      ///< something is ready: the next turn is due
  Deadline next;  ///< else: the next timer's; wake() may come earlier
};

/// Somebody else's event loop, in whose thread a loop has its turns.
class LoopDriver {
 public:
  /// Runs in: any thread, once after a turn that has left nothing. A turn is due.
  virtual void wake() noexcept = 0;

 protected:
  ~LoopDriver() = default;
};

}  // namespace plait::detail
