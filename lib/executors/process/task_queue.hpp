// The tasks of a process pool that no worker has yet.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <map>

#include "executors/process/task.hpp"

namespace plait::detail {

/// By priority, and first come, first served within one. The manager's thread alone uses it.
class TaskQueue {
 public:
  void push(TaskPtr task) { lanes_[task->priority].push_back(std::move(task)); }
  /// For one that a worker had, but did not begin.
  void put_back(TaskPtr task) { lanes_[task->priority].push_front(std::move(task)); }
  /// Null: there is none. What was cancelled meanwhile is thrown away.
  TaskPtr pop();
  /// The next one; null: there is none.
  Task* next();
  /// The task of this job; null: it is not here.
  TaskPtr take(const FutureState& job);
  /// Those that have not ended fail.
  void clear() noexcept { lanes_.clear(); }
  /// How many there are, counting what was cancelled since the last next().
  std::size_t size() const noexcept;

 private:
  // Without empty lanes but for the default one.
  std::map<int, std::deque<TaskPtr>, std::greater<>> lanes_;
};

}  // namespace plait::detail
