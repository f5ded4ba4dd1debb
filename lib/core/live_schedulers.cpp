// The set of all schedulers.
#include "core/live_schedulers.hpp"

#include <pthread.h>

#include <set>

#include "core/wait_graph.hpp"

namespace plait::detail {
namespace {

// Guarded by owners_mutex(). Never destroyed: loops may outlive main.
std::set<const JobOwner*>& live_schedulers() {
  static auto& schedulers = *new std::set<const JobOwner*>;
  return schedulers;
}

}  // namespace

// The child of a fork() has the stack of the loop that called it, but that loop runs in the parent.
void add_live_scheduler(Scheduler& scheduler) {
  static const int hooked = [] {
    keep_mutexes_across_fork();
    return ::pthread_atfork(nullptr, nullptr, [] { running_loop = nullptr; });
  }();
  (void)hooked;
  MutexLock lock(owners_mutex());
  live_schedulers().insert(&scheduler);
}

void remove_live_scheduler(Scheduler& scheduler) noexcept {
  MutexLock lock(owners_mutex());
  live_schedulers().erase(&scheduler);
}

bool is_live(const JobOwner* owner) noexcept { return live_schedulers().contains(owner); }

Scheduler* live_in_this_thread(JobOwner* owner) noexcept {
  if (!owner) return nullptr;
  if (running_loop == owner) return running_loop;
  MutexLock lock(owners_mutex());
  if (!is_live(owner)) return nullptr;
  // Only schedulers are in the set, and the address is this one's.
  auto* const scheduler = static_cast<Scheduler*>(owner);
  return scheduler->in_own_thread() ? scheduler : nullptr;
}

}  // namespace plait::detail
