// All pools of the process: what exit() and fork() do with them.
#include "executors/live_pools.hpp"

#include <pthread.h>

#include <atomic>
#include <cstdlib>
#include <map>
#include <vector>

#include <plait/core/detail/need_search.hpp>

#include "executors/thread_pool.hpp"

namespace plait::detail {
namespace {

using Pools = std::map<const LivePool*, std::weak_ptr<LivePool>>;

// Guarded by owners_mutex(). Never destroyed: pools may outlive static destruction.
Pools& live_pools() {
  static Pools& pools = *new Pools;
  return pools;
}

// Increased in the child of each fork(), which has one thread then; read by any thread.
std::atomic<unsigned> generation{0};

// Accepted work is never lost: what main() left running still runs.
void finish_all_pools() {
  std::vector<std::shared_ptr<LivePool>> pools;
  {
    MutexLock lock(owners_mutex());
    for (const auto& [_, pool] : live_pools()) {
      if (auto alive = pool.lock()) pools.push_back(std::move(alive));
    }
  }
  for (const auto& pool : pools) pool->finish_at_exit();
}

void after_fork_in_child() {
  ++generation;
  MutexLock lock(owners_mutex());
  forget_blocked_threads();
  NeedSearch::forget_all();
}

}  // namespace

void remember_pool(const std::shared_ptr<LivePool>& pool) {
  static const bool hooked = [] {
    std::atexit(finish_all_pools);
    keep_mutexes_across_fork();
    pthread_atfork(nullptr, nullptr, after_fork_in_child);
    return true;
  }();
  (void)hooked;
  MutexLock lock(owners_mutex());
  live_pools()[pool.get()] = pool;
}

void forget_pool(const LivePool& pool) noexcept {
  MutexLock lock(owners_mutex());
  live_pools().erase(&pool);
}

unsigned fork_generation() noexcept { return generation.load(); }

}  // namespace plait::detail
