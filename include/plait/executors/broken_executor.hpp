// The errors of an executor that cannot run anything any more.
#pragma once

#include <plait/core/errors.hpp>

namespace plait {

/// The executor cannot run anything any more; the text says why.
///
/// **Python:** concurrent.futures.BrokenExecutor.
struct BrokenExecutor : RuntimeError {
  using RuntimeError::RuntimeError;
};

/// A thread pool whose initializer failed. **Python:** concurrent.futures.thread.BrokenThreadPool.
struct BrokenThreadPool : BrokenExecutor {
  using BrokenExecutor::BrokenExecutor;
};

/// A process pool that lost its workers. **Python:** concurrent.futures.process.BrokenProcessPool.
struct BrokenProcessPool : BrokenExecutor {
  using BrokenExecutor::BrokenExecutor;
};

}  // namespace plait
