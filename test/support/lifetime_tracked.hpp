// A value that counts its copies, moves and destructions.
#pragma once

#include <atomic>

namespace plait::test {

struct LifetimeCounts {
  std::atomic<int> live{0};
  std::atomic<int> copies{0};
  std::atomic<int> moves{0};
};

class LifetimeTracked {
 public:
  explicit LifetimeTracked(LifetimeCounts& counts) : counts_(&counts) { ++counts_->live; }
  LifetimeTracked(const LifetimeTracked& other) : counts_(other.counts_) {
    ++counts_->live;
    ++counts_->copies;
  }
  LifetimeTracked(LifetimeTracked&& other) noexcept : counts_(other.counts_) {
    ++counts_->live;
    ++counts_->moves;
  }
  LifetimeTracked& operator=(const LifetimeTracked&) = delete;
  LifetimeTracked& operator=(LifetimeTracked&&) = delete;
  ~LifetimeTracked() { --counts_->live; }

 private:
  LifetimeCounts* counts_;
};

}  // namespace plait::test
