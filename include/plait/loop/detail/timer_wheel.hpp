// The timers of a loop: a hierarchy of wheels, so that adding and removing one takes constant time.
#pragma once

#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include <plait/core/clock.hpp>
#include <plait/core/detail/ready_queue.hpp>
#include <plait/core/detail/runnable.hpp>

namespace plait::detail {

/// Something that becomes ready at a moment. In a wheel until it does or is removed; the queue's
/// link serves the wheel.
class Timer : public Runnable {
 public:
  Timer() = default;
  /// A timer that has its moment before it is armed.
  explicit Timer(Clock::time_point when) noexcept : when_(when) {}
  /// True: in a wheel.
  bool armed() const noexcept { return previous_ != nullptr; }
  Clock::time_point when() const noexcept { return when_; }

 protected:
  ~Timer() = default;

 private:
  friend class TimerWheel;
  Timer* next() const noexcept { return static_cast<Timer*>(next_runnable); }

  Timer* previous_ = nullptr;  // in a slot's circle; null: in no wheel
  Clock::time_point when_{};
};

/// Timers in the order of their deadlines, and of their adding where those are equal.
///
/// Wheel n has 64 slots; slot s holds the timers whose deadline has s as its n-th digit to base 64
/// and differs from now() in no higher digit. A timer moves at most once per wheel to a lower one,
/// when time enters its slot: adding and removing take constant time, whatever their number, and
/// exact deadlines in nanoseconds keep their order. (Varghese and Lauck, "Hashed and hierarchical
/// timing wheels", 1987; the cascade is a radix heap's.) One thread uses it.
class TimerWheel {
 public:
  /// Time starts at `now`.
  explicit TimerWheel(Clock::time_point now) noexcept : now_(ticks(now)) {}
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  bool empty() const noexcept { return count_ == 0; }
  /// True: a timer was added whose time had come when it was added.
  bool has_overdue() const noexcept { return overdue_ != nullptr; }

  void add(Timer& timer, Clock::time_point when) noexcept;
  void remove(Timer& timer) noexcept;
  /// The earliest deadline; nullopt: no timer.
  std::optional<Clock::time_point> next_deadline() const noexcept;
  /// Moves time on to `now` and all that are due by then to `ready`, earliest first.
  void advance(Clock::time_point now, ReadyQueue& ready) noexcept;
  /// Any one, removed; null: none.
  Timer* take_any() noexcept;

 private:
  using Ticks = std::uint64_t;  // nanoseconds since the clock's smallest value
  using Slot = Timer*;          // the last of a circle; its next is the first

  static constexpr int digit_bits = 6;
  static constexpr int slots = 1 << digit_bits;
  static constexpr int wheels = (64 + digit_bits - 1) / digit_bits;

  struct Wheel {
    std::uint64_t occupied = 0;  // one bit a slot
    std::array<Slot, slots> slot{};
  };

  static Ticks ticks(Clock::time_point time) noexcept;
  static int digit(Ticks time, int wheel) noexcept;
  static int wheel_of(Ticks time, Ticks now) noexcept;
  static void append(Slot& slot, Timer& timer) noexcept;
  static void unlink(Slot& slot, Timer& timer) noexcept;
  static Timer* pop_first(Slot& slot) noexcept;

  void place(Timer& timer) noexcept;
  void add_overdue(Timer& timer) noexcept;
  Slot take(int wheel, int number) noexcept;
  int first_occupied_wheel() const noexcept;
  bool enter_next_slot(Ticks until, ReadyQueue& ready) noexcept;

  Ticks now_;
  std::size_t count_ = 0;
  Slot overdue_ = nullptr;  // those that were added with a deadline not after now_, sorted
  std::array<Wheel, wheels> wheels_;
};

}  // namespace plait::detail
