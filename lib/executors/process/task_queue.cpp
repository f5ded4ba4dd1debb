// Which task is next.
#include "executors/process/task_queue.hpp"

#include <algorithm>

namespace plait::detail {

Task* TaskQueue::next() {
  while (!lanes_.empty()) {
    auto& lane = lanes_.begin()->second;
    while (!lane.empty() && lane.front()->job->done()) lane.pop_front();
    if (!lane.empty()) return lane.front().get();
    lanes_.erase(lanes_.begin());
  }
  return nullptr;
}

TaskPtr TaskQueue::pop() {
  if (!next()) return nullptr;
  auto& lane = lanes_.begin()->second;
  TaskPtr task = std::move(lane.front());
  lane.pop_front();
  return task;
}

TaskPtr TaskQueue::take(const FutureState& job) {
  for (auto& [_, lane] : lanes_) {
    const auto found =
        std::ranges::find_if(lane, [&](const TaskPtr& task) { return task->job.get() == &job; });
    if (found == lane.end()) continue;
    TaskPtr task = std::move(*found);
    lane.erase(found);
    return task;
  }
  return nullptr;
}

std::size_t TaskQueue::size() const noexcept {
  std::size_t size = 0;
  for (const auto& [_, lane] : lanes_) size += lane.size();
  return size;
}

}  // namespace plait::detail
