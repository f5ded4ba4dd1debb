// How many jobs may wait in a bounded pool, and who waits for one of them to start.
#pragma once

#include <cstddef>

#include "core/mutex.hpp"

namespace plait::detail {

/// Counts the pending jobs of a pool with `max_queue`; does nothing for an unbounded one.
class Room {
 public:
  /// 0: unbounded.
  explicit Room(std::size_t max_pending) : max_pending_(max_pending) {}

  /// Counts one job more. False: there is no room, and `may_wait` is false or close() was called.
  bool reserve(bool may_wait) {
    if (max_pending_ == 0) return true;
    MutexLock lock(mutex_);
    while (may_wait && pending_ >= max_pending_ && !closed_) freed_.wait(mutex_);
    if (pending_ >= max_pending_) return false;
    ++pending_;
    return true;
  }
  /// Counts one job more, room or not.
  void overbook() noexcept {
    MutexLock lock(mutex_);
    ++pending_;
  }
  /// A job has left the queue: it was started, cancelled or refused.
  void release() noexcept {
    if (max_pending_ == 0) return;
    MutexLock lock(mutex_);
    --pending_;
    freed_.notify_one();
  }
  /// Nobody waits from now on.
  void close() noexcept {
    MutexLock lock(mutex_);
    closed_ = true;
    freed_.notify_all();
  }

 private:
  const std::size_t max_pending_;
  Mutex mutex_;
  ConditionVariable freed_;
  std::size_t pending_ PLAIT_TSA(guarded_by(mutex_)) = 0;
  bool closed_ PLAIT_TSA(guarded_by(mutex_)) = false;
};

}  // namespace plait::detail
