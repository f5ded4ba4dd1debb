// A gate that holds jobs until the test opens it, and counts who has arrived.
#pragma once

#include <condition_variable>
#include <mutex>

namespace plait::test {

class Gate {
 public:
  // Arrives, and blocks until the gate is open or lets one more through.
  void pass() {
    std::unique_lock lock(mutex_);
    ++arrived_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_ || permits_ > 0; });
    if (!open_) --permits_;
  }

  void open() {
    const std::scoped_lock lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

  void let_through(int count) {
    const std::scoped_lock lock(mutex_);
    permits_ += count;
    changed_.notify_all();
  }

  void wait_for_arrivals(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return arrived_ >= count; });
  }

  int arrived() const {
    const std::scoped_lock lock(mutex_);
    return arrived_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  int arrived_ = 0;
  int permits_ = 0;
  bool open_ = false;
};

}  // namespace plait::test
