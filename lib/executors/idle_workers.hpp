// Which workers look for work and which sleep, and who is woken: no wake-up lost, few made.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/mutex.hpp"

namespace plait::detail {

class Worker;

/// The idle workers of one pool. A worker is active (runs a job), searching (looks for one,
/// briefly) or sleeping. README.md in this folder has the protocol and the proof that no wake-up is
/// lost.
class IdleWorkers {
 public:
  /// `max_searching`: how many may search at a time, so that idleness costs no more than that.
  explicit IdleWorkers(std::size_t max_searching) : max_searching_(max_searching) {}

  /// Runs in: any thread that has just queued a job. Wakes a worker, unless one is searching.
  /// [SLEEP-2]
  void notify_one();
  /// Wakes all; for a change that is no job, such as shutdown.
  void notify_all();

  /// Runs in: any thread. Whether somebody sleeps.
  bool any_sleeping() const noexcept { return counts_.load() >= one_sleeping; }

  /// Runs in: an active worker. Makes it searching; false: enough others do.
  bool begin_search();
  /// Runs in: a searching worker. Makes it active. True: it was the last one searching, so if there
  /// is more work it has to notify_one().
  bool end_search();

  /// Runs in: an active or searching worker. Makes it sleeping; it has to look for work once more
  /// before it may block. [SLEEP-1]
  void announce_sleep(Worker& worker, bool searching);
  /// Runs in: a worker after announce_sleep(), which will not block. False: it was woken meanwhile.
  bool cancel_sleep(Worker& worker);

 private:
  static constexpr std::uint64_t one_searching = 1;
  static constexpr std::uint64_t one_sleeping = std::uint64_t{1} << 32;

  const std::size_t max_searching_;
  // How many search (lower half) and how many sleep (upper half). Searching is changed by any
  // worker, sleeping under mutex_ only. [SLEEP-1] Worker: announces its sleep here, then looks at
  // the queues. [SLEEP-2] Submitter: queues its job, then reads this. All in the default order, so
  // one of the two sees the other.
  alignas(64) std::atomic<std::uint64_t> counts_{0};
  Mutex mutex_;
  std::vector<Worker*> sleeping_ PLAIT_TSA(guarded_by(mutex_));  // woken from the back: warm caches
};

}  // namespace plait::detail
