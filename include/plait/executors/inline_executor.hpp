// InlineExecutor: runs every job inside of submit().
#pragma once

#include <plait/executors/executor.hpp>

namespace plait {

/// Runs every job in the calling thread, inside of submit(); the future is done when that returns.
///
/// For tests, for debugging, and as the reference of what every executor does. map() runs all
/// before it returns. **Python:** none. **Threads:** any; each runs its own jobs.
class InlineExecutor : public Executor {
 public:
  /// Ready to run.
  InlineExecutor();
  ~InlineExecutor() override;

  void shutdown(ShutdownOptions options = ShutdownOptions()) override;
};

}  // namespace plait
