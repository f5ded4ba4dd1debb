// Which task is next.
#include "executors/process/task_queue.hpp"

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

std::size_t TaskQueue::size() const noexcept {
  std::size_t size = 0;
  for (const auto& [_, lane] : lanes_) size += lane.size();
  return size;
}

}  // namespace plait::detail
