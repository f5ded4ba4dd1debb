// Jobs of other than normal priority: one FIFO lane for each.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>

#include <plait/core/detail/future_state.hpp>
#include "core/mutex.hpp"

namespace plait::detail {

/// The jobs whose priority is not 0. Urgent ones go before all normal jobs, the others after.
class PriorityLanes {
 public:
  /// Runs in: any thread. Takes over one reference. False: closed, and the reference stays.
  bool push(FutureState& job, int priority);
  /// Runs in: any thread. The first job of the highest lane above 0; null: there is none.
  FutureState* pop_urgent();
  /// Runs in: any thread. The first job of the highest lane; null: there is none.
  FutureState* pop_highest();
  /// Runs in: any thread. The job that has waited longest, of whatever lane; null: there is none.
  FutureState* pop_oldest();
  /// Refuses further jobs.
  void close();

  /// Runs in: any thread. How many there were a moment ago.
  std::size_t size() const noexcept { return size_.load(); }

 private:
  struct Entry {
    FutureState* job;
    std::uint64_t number;  // of its arrival
  };
  using Lanes = std::map<int, std::deque<Entry>, std::greater<>>;

  FutureState* pop_front(Lanes::iterator lane) PLAIT_TSA(requires_capability(mutex_));

  Mutex mutex_;
  Lanes lanes_ PLAIT_TSA(guarded_by(mutex_));  // none is empty
  std::uint64_t arrivals_ PLAIT_TSA(guarded_by(mutex_)) = 0;
  bool closed_ PLAIT_TSA(guarded_by(mutex_)) = false;
  // How many jobs there are, and how many of them are urgent. Stored under mutex_, read without it
  // by every worker before every job. [SLEEP-2]
  alignas(64) std::atomic<std::size_t> size_{0};
  std::atomic<std::size_t> urgent_{0};
};

}  // namespace plait::detail
