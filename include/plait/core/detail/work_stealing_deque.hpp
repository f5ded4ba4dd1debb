// The Chase-Lev deque: its owner works at one end, everybody steals from the other.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace plait::detail {

/// A queue of pointers with one owner.
///
/// Chase and Lev, "Dynamic circular work-stealing deque", 2005, with sequentially consistent
/// indices, as the authors wrote it. Invariant: the elements are slots [top_, bottom_). Only the
/// owner moves bottom_; top_ only grows, by compare-and-swap, and who wins that has the element.
/// Only where one element is left can owner and thief want the same one; there the owner goes
/// through top_ as well.
template <class T>
class WorkStealingDeque {
 public:
  WorkStealingDeque() = default;
  WorkStealingDeque(const WorkStealingDeque&) = delete;
  WorkStealingDeque& operator=(const WorkStealingDeque&) = delete;

  /// Runs in: the owner. Afterwards that many more elements can be pushed without an allocation.
  void reserve(std::size_t count) {
    while (bottom_.load() - top_.load() + static_cast<std::int64_t>(count) > capacity_) grow();
  }
  /// Runs in: the owner. Adds elements at the newest end: `next()` gives each of them.
  template <class Next>
  void push_n(std::size_t count, Next next) {
    reserve(count);
    const std::int64_t bottom = bottom_.load();
    Ring& ring = *ring_.load();
    for (std::size_t i = 0; i < count; ++i) ring.at(bottom + static_cast<std::int64_t>(i)) = next();
    bottom_ = bottom + static_cast<std::int64_t>(count);
  }
  /// Runs in: the owner.
  void push(T* element) {
    push_n(1, [element] { return element; });
  }
  /// Runs in: the owner, which has reserved room. As push(), but without a locked instruction: who
  /// looks at something else afterwards may do so before others see the element.
  void push_quietly(T* element) noexcept {
    const std::int64_t bottom = bottom_.load();
    // [FORK-1] Publishes the slot, and what the element points to, to who reads bottom_.
    ring_.load()->at(bottom).store(element, std::memory_order_relaxed);  // [FORK-1]
    bottom_.store(bottom + 1, std::memory_order_release);                // [FORK-1]
  }

  /// Runs in: the owner. The newest element, to be compared with and not to be followed: a thief
  /// may just have taken and destroyed it.
  const T* newest() const {
    const std::int64_t bottom = bottom_.load();
    return top_.load() < bottom ? ring_.load()->at(bottom - 1).load() : nullptr;
  }

  /// Runs in: the owner. Takes the newest element; null where there is none.
  T* pop() {
    const std::int64_t last = bottom_.load() - 1;
    bottom_ = last;  // from here on thieves leave this slot alone, unless it is the only one
    std::int64_t top = top_.load();
    T* element = nullptr;
    if (top < last) return ring_.load()->at(last).load();
    if (top == last && top_.compare_exchange_strong(top, top + 1)) element = ring_.load()->at(last);
    bottom_ = last + 1;
    return element;
  }

  /// Runs in: any thread. Takes the oldest element; null where there is none.
  T* steal() {
    std::int64_t top = top_.load();
    while (top < bottom_.load()) {  // [FORK-2] what it counts is in its slot
      // The slot may be overwritten once top_ has moved on, but then the exchange fails.
      T* const element = ring_.load()->at(top).load();
      if (top_.compare_exchange_weak(top, top + 1)) return element;
    }
    return nullptr;
  }

  /// Runs in: any thread. How many elements there were a moment ago.
  std::size_t size() const {
    const std::int64_t top = top_.load();
    const std::int64_t bottom = bottom_.load();
    return bottom > top ? static_cast<std::size_t>(bottom - top) : 0;
  }

 private:
  static constexpr std::int64_t initial_capacity = 64;

  // A power of two of slots, used round and round. Each slot is written by the owner before it
  // moves bottom_ past it, and read by thieves after they have read bottom_.
  class Ring {
   public:
    explicit Ring(std::size_t capacity) : slots_(capacity) {}
    std::atomic<T*>& at(std::int64_t index) {
      return slots_[static_cast<std::size_t>(index) & (slots_.size() - 1)];
    }

   private:
    std::vector<std::atomic<T*>> slots_;
  };

  // Runs in: the owner. Old rings stay, as thieves may still read them: together they are no larger
  // than the present one.
  [[gnu::noinline]] void grow() {
    const std::int64_t capacity = capacity_ ? 2 * capacity_ : initial_capacity;
    auto larger = std::make_unique<Ring>(static_cast<std::size_t>(capacity));
    if (Ring* const old = ring_.load()) {
      for (std::int64_t i = top_.load(); i < bottom_.load(); ++i) larger->at(i) = old->at(i).load();
    }
    Ring* const present = larger.get();
    rings_.push_back(std::move(larger));
    ring_ = present;
    capacity_ = capacity;
  }

  // Index of the oldest element. Everybody, by compare-and-swap upwards.
  alignas(64) std::atomic<std::int64_t> top_{0};
  // Index after the newest element. The owner stores, thieves read.
  alignas(64) std::atomic<std::int64_t> bottom_{0};
  // The present ring; null: nothing was ever pushed. The owner stores, thieves read.
  std::atomic<Ring*> ring_{nullptr};
  std::int64_t capacity_ = 0;                 // the owner's: of the present ring
  std::vector<std::unique_ptr<Ring>> rings_;  // the owner's
};

}  // namespace plait::detail
