// The workers of a pool: a list that grows under a mutex and is read without one.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "executors/worker.hpp"

namespace plait::detail {

/// Workers by index. They live as long as the list, so who has read one may keep it.
class WorkerList {
 public:
  /// Where the thread of a worker is on its way.
  enum class Thread { none, runs, ended, joining };
  struct Entry {
    std::unique_ptr<Worker> worker;
    Thread thread = Thread::none;
  };

  /// Runs in: any thread. The workers there were a moment ago.
  std::span<Worker* const> view() const noexcept {
    const Snapshot* const present = present_.load();
    return {present->workers.get(), present->count};
  }

  /// Runs in: any thread, the pool's mutex held.
  std::vector<Entry>& entries() noexcept { return entries_; }
  /// Runs in: any thread, the pool's mutex held. Adds a worker without a thread.
  Entry& add(ThreadPool& pool) {
    Entry entry{std::make_unique<Worker>(pool, entries_.size())};
    auto larger = std::make_unique<Snapshot>();
    larger->workers = std::make_unique<Worker*[]>(entries_.size() + 1);
    for (const Entry& known : entries_) larger->workers[larger->count++] = known.worker.get();
    larger->workers[larger->count++] = entry.worker.get();
    entries_.reserve(entries_.size() + 1);
    snapshots_.push_back(std::move(larger));
    entries_.push_back(std::move(entry));  // nothing can fail any more
    present_ = snapshots_.back().get();
    return entries_.back();
  }

 private:
  struct Snapshot {
    std::unique_ptr<Worker*[]> workers;
    std::size_t count = 0;
  };

  std::vector<Entry> entries_;                        // guarded by the pool's mutex
  std::vector<std::unique_ptr<Snapshot>> snapshots_;  // guarded by it too; old ones may be in use
  const Snapshot empty_{};
  // The newest snapshot. Stored under the pool's mutex, read by any thread.
  std::atomic<const Snapshot*> present_{&empty_};
};

}  // namespace plait::detail
