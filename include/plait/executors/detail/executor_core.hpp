// What an executor's handle and its work share: the part that outlives the handle.
#pragma once

#include <cstddef>

#include <plait/core/detail/coroutine_host.hpp>
#include <plait/core/detail/future_state.hpp>
#include <plait/executors/detail/remote_hook.hpp>
#include <plait/executors/submit_options.hpp>

namespace plait::detail {

/// A job on its way to a worker.
using JobRef = StateRef<FutureState>;

/// The engine behind an Executor. The handle, its workers and lazy maps share it.
class ExecutorCore : public JobOwner, public CoroutineHost {
 public:
  virtual ~ExecutorCore() = default;

  /// Takes the job, or throws why not; the job is then dropped with its callable. `remote`: how its
  /// call can be made in another process.
  virtual void enqueue(JobRef job, const SubmitOptions& options, const RemoteJob& remote) = 0;
  /// See Executor::shutdown().
  virtual void shutdown(ShutdownOptions options) = 0;
  /// How many jobs can run at a time; map() chooses its chunks by it.
  virtual std::size_t parallelism() const noexcept = 0;
};

}  // namespace plait::detail
