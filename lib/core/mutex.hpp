// A mutex that Clang's thread safety analysis understands, and the macro that tells it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#ifdef __clang__
#define PLAIT_TSA(annotation) __attribute__((annotation))
#else
#define PLAIT_TSA(annotation)
#endif

namespace plait::detail {

/// std::mutex, annotated.
class PLAIT_TSA(capability("mutex")) Mutex {
 public:
  void lock() PLAIT_TSA(acquire_capability()) { mutex_.lock(); }
  void unlock() PLAIT_TSA(release_capability()) { mutex_.unlock(); }

 private:
  friend class ConditionVariable;
  std::mutex mutex_;
};

/// std::scoped_lock of one Mutex, annotated.
class PLAIT_TSA(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) PLAIT_TSA(acquire_capability(mutex)) : mutex_(mutex) {
    mutex_.lock();
  }
  ~MutexLock() PLAIT_TSA(release_capability()) { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

/// std::condition_variable over Mutex. Callers loop on their condition.
class ConditionVariable {
 public:
  void wait(Mutex& mutex) PLAIT_TSA(requires_capability(mutex)) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }
  void wait_for(Mutex& mutex, std::chrono::milliseconds timeout)
      PLAIT_TSA(requires_capability(mutex)) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    condition_.wait_for(lock, timeout);
    lock.release();
  }
  void notify_one() noexcept { condition_.notify_one(); }
  void notify_all() noexcept { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace plait::detail
