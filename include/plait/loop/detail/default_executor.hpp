// The executor that a loop uses where it is given none.
#pragma once

#include <memory>

namespace plait {
class Executor;
}

namespace plait::detail {

class ExecutorCore;

/// What keeps an executor in use. Copies stand for the same one.
struct ExecutorHold {
  std::shared_ptr<ExecutorCore> core;  // null: no executor
  // The user's handle; null: the loop's own pool, which has none. A handle's destructor waits for
  // the jobs, and close() must not.
  std::shared_ptr<Executor> handle;

  explicit operator bool() const noexcept { return core != nullptr; }
  /// See Executor::shutdown().
  void shutdown(bool wait) const;
};

/// Makes the executor when it is first needed. Loop thread only.
class DefaultExecutor {
 public:
  /// @throws RuntimeError after close()
  ExecutorCore& core();
  /// What was there before takes no more jobs if it is the loop's own.
  void set(std::shared_ptr<Executor> executor);
  /// From now on core() throws. What is there has to be shut down.
  ExecutorHold close() noexcept;
  /// As above, and lets go of it.
  ExecutorHold release() noexcept;

 private:
  ExecutorHold hold_;
  bool closed_ = false;
};

/// The engine behind a handle, for what submits to it without knowing the class.
const std::shared_ptr<ExecutorCore>& core_of(Executor& executor) noexcept;

}  // namespace plait::detail
