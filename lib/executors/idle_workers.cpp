// Which workers look for work and which sleep, and who is woken.
#include "executors/idle_workers.hpp"

#include <algorithm>
#include <utility>

#include "executors/worker.hpp"

namespace plait::detail {

void IdleWorkers::notify_one() {
  const std::uint64_t counts = counts_.load();  // [SLEEP-2]
  if (counts < one_sleeping || counts % one_sleeping > 0) return;
  Worker* woken = nullptr;
  {
    MutexLock lock(mutex_);
    if (sleeping_.empty()) return;
    woken = sleeping_.back();
    sleeping_.pop_back();
    counts_ += one_searching - one_sleeping;
  }
  woken->unpark();
}

void IdleWorkers::notify_all() {
  std::vector<Worker*> woken;
  {
    MutexLock lock(mutex_);
    woken.swap(sleeping_);
    counts_ += woken.size() * (one_searching - one_sleeping);
  }
  for (Worker* worker : woken) worker->unpark();
}

bool IdleWorkers::begin_search() {
  std::uint64_t counts = counts_.load();
  while (counts % one_sleeping < max_searching_) {
    if (counts_.compare_exchange_weak(counts, counts + one_searching)) return true;
  }
  return false;
}

bool IdleWorkers::end_search() {
  return counts_.fetch_sub(one_searching) % one_sleeping == one_searching;
}

void IdleWorkers::announce_sleep(Worker& worker, bool searching) {
  MutexLock lock(mutex_);
  sleeping_.push_back(&worker);
  counts_ += one_sleeping - (searching ? one_searching : 0);  // [SLEEP-1]
}

bool IdleWorkers::cancel_sleep(Worker& worker) {
  MutexLock lock(mutex_);
  const auto place = std::ranges::find(sleeping_, &worker);
  if (place == sleeping_.end()) return false;
  sleeping_.erase(place);
  counts_ -= one_sleeping;
  return true;
}

}  // namespace plait::detail
