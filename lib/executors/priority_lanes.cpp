// Jobs of other than normal priority.
#include "executors/priority_lanes.hpp"

#include <algorithm>

namespace plait::detail {

bool PriorityLanes::push(FutureState& job, int priority) {
  MutexLock lock(mutex_);
  if (closed_) return false;
  const auto [lane, is_new] = lanes_.try_emplace(priority);
  try {
    lane->second.push_back({&job, arrivals_++});
  } catch (...) {
    if (is_new) lanes_.erase(lane);
    throw;
  }
  if (priority > 0) ++urgent_;
  ++size_;
  return true;
}

FutureState* PriorityLanes::pop_front(Lanes::iterator lane) {
  FutureState* const job = lane->second.front().job;
  lane->second.pop_front();
  --size_;
  if (lane->first > 0) --urgent_;
  if (lane->second.empty()) lanes_.erase(lane);
  return job;
}

FutureState* PriorityLanes::pop_urgent() {
  if (urgent_.load() == 0) return nullptr;
  MutexLock lock(mutex_);
  const auto highest = lanes_.begin();
  return highest != lanes_.end() && highest->first > 0 ? pop_front(highest) : nullptr;
}

FutureState* PriorityLanes::pop_highest() {
  if (size_.load() == 0) return nullptr;
  MutexLock lock(mutex_);
  return lanes_.empty() ? nullptr : pop_front(lanes_.begin());
}

FutureState* PriorityLanes::pop_oldest() {
  if (size_.load() == 0) return nullptr;
  MutexLock lock(mutex_);
  const auto waits_longer = [](const auto& a, const auto& b) {
    return a.second.front().number < b.second.front().number;
  };
  const auto oldest = std::min_element(lanes_.begin(), lanes_.end(), waits_longer);
  return oldest != lanes_.end() ? pop_front(oldest) : nullptr;
}

void PriorityLanes::close() {
  MutexLock lock(mutex_);
  closed_ = true;
}

}  // namespace plait::detail
