// A job of a process pool on its way.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <plait/executors/detail/executor_core.hpp>
#include <plait/executors/detail/payload.hpp>

namespace plait::detail {

/// What is sent for one job, and what may be done if that fails. One thread uses it at a time.
struct Task {
  Task() = default;
  /// What was accepted and lost on its way, as there was no memory, fails with BrokenProcessPool.
  ~Task();
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  JobRef job;  // pending until it is sent for the first time, then running
  const RemoteCall* call = nullptr;
  Payload content;  // of its CALL
  std::optional<Duration> timeout;
  int retries = 0;  // how often it may still be repeated
  int priority = 0;
  bool accepted = false;  // by submit(): its future is somebody's
  bool doomed = false;    // kill_task(): its worker is killed when it runs

  bool started() const { return job->snapshot().phase() != Phase::pending; }
};

using TaskPtr = std::unique_ptr<Task>;

/// Ends the task's future with what a worker sent, or with the value that is there already where
/// `result` is null. Runs done-callbacks.
void finish_task(Task& task, ByteSource* result);
/// As above, with an error.
void fail_task(Task& task, std::exception_ptr error) noexcept;

}  // namespace plait::detail
