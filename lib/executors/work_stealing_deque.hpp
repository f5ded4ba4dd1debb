// The Chase-Lev deque of jobs: its owner works at one end, everybody steals from the other.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <plait/core/detail/future_state.hpp>

namespace plait::detail {

/// A queue of jobs with one owner. Each job in it carries a reference, which goes to whoever takes
/// it.
///
/// Chase and Lev, "Dynamic circular work-stealing deque", 2005, with sequentially consistent
/// indices, as the authors wrote it. Invariant: the jobs are slots [top_, bottom_). Only the owner
/// moves bottom_; top_ only grows, by compare-and-swap, and who wins that has the job. Only where
/// one job is left can owner and thief want the same one; there the owner goes through top_ as
/// well.
class WorkStealingDeque {
 public:
  WorkStealingDeque() { grow(initial_capacity); }

  /// Runs in: the owner. Afterwards that many more jobs can be pushed without an allocation.
  void reserve(std::size_t count) {
    while (bottom_.load() - top_.load() + static_cast<std::int64_t>(count) > capacity()) {
      grow(static_cast<std::size_t>(capacity()) * 2);
    }
  }
  /// Runs in: the owner. Adds jobs at the newest end: `next()` gives each of them.
  template <class Next>
  void push_n(std::size_t count, Next next) {
    reserve(count);
    const std::int64_t bottom = bottom_.load();
    Ring& ring = *ring_.load();
    for (std::size_t i = 0; i < count; ++i) ring.at(bottom + static_cast<std::int64_t>(i)) = next();
    bottom_ = bottom + static_cast<std::int64_t>(count);
  }
  /// Runs in: the owner.
  void push(FutureState* job) {
    push_n(1, [job] { return job; });
  }

  /// Runs in: the owner. The newest job, to be compared with and not to be followed: a thief may
  /// just have taken and destroyed it.
  const FutureState* newest() const {
    const std::int64_t bottom = bottom_.load();
    return top_.load() < bottom ? ring_.load()->at(bottom - 1).load() : nullptr;
  }

  /// Runs in: the owner. Takes the newest job; null where there is none.
  FutureState* pop() {
    const std::int64_t last = bottom_.load() - 1;
    bottom_ = last;  // from here on thieves leave this slot alone, unless it is the only one
    std::int64_t top = top_.load();
    FutureState* job = nullptr;
    if (top < last) return ring_.load()->at(last).load();
    if (top == last && top_.compare_exchange_strong(top, top + 1)) job = ring_.load()->at(last);
    bottom_ = last + 1;
    return job;
  }

  /// Runs in: any thread. Takes the oldest job; null where there is none.
  FutureState* steal() {
    std::int64_t top = top_.load();
    while (top < bottom_.load()) {
      // The slot may be overwritten once top_ has moved on, but then the exchange fails.
      FutureState* const job = ring_.load()->at(top).load();
      if (top_.compare_exchange_weak(top, top + 1)) return job;
    }
    return nullptr;
  }

  /// Runs in: any thread. How many jobs there were a moment ago.
  std::size_t size() const {
    const std::int64_t top = top_.load();
    const std::int64_t bottom = bottom_.load();
    return bottom > top ? static_cast<std::size_t>(bottom - top) : 0;
  }

 private:
  static constexpr std::size_t initial_capacity = 64;

  // A power of two of slots, used round and round. Each slot is written by the owner before it
  // moves bottom_ past it, and read by thieves after they have read bottom_.
  class Ring {
   public:
    explicit Ring(std::size_t capacity) : slots_(capacity) {}
    std::int64_t capacity() const { return static_cast<std::int64_t>(slots_.size()); }
    std::atomic<FutureState*>& at(std::int64_t index) {
      return slots_[static_cast<std::size_t>(index) & (slots_.size() - 1)];
    }

   private:
    std::vector<std::atomic<FutureState*>> slots_;
  };

  std::int64_t capacity() const { return ring_.load()->capacity(); }

  // Runs in: the owner. Old rings stay, as thieves may still read them: together they are no larger
  // than the present one.
  void grow(std::size_t capacity) {
    auto larger = std::make_unique<Ring>(capacity);
    if (Ring* const old = ring_.load()) {
      for (std::int64_t i = top_.load(); i < bottom_.load(); ++i) larger->at(i) = old->at(i).load();
    }
    ring_ = larger.get();
    rings_.push_back(std::move(larger));
  }

  // Index of the oldest job. Everybody, by compare-and-swap upwards.
  alignas(64) std::atomic<std::int64_t> top_{0};
  // Index after the newest job. The owner stores, thieves read.
  alignas(64) std::atomic<std::int64_t> bottom_{0};
  // The present ring. The owner stores, thieves read.
  std::atomic<Ring*> ring_{nullptr};
  std::vector<std::unique_ptr<Ring>> rings_;  // the owner's
};

}  // namespace plait::detail
