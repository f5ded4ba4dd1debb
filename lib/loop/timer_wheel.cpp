// How timers move from wheel to wheel until they are due.
#include <plait/loop/detail/timer_wheel.hpp>

#include <algorithm>
#include <utility>

namespace plait::detail {

// Unsigned, in the order of time: the smallest signed count becomes 0.
TimerWheel::Ticks TimerWheel::ticks(Clock::time_point time) noexcept {
  constexpr Ticks sign = Ticks{1} << 63;
  return static_cast<Ticks>(time.time_since_epoch().count()) ^ sign;
}

int TimerWheel::digit(Ticks time, int wheel) noexcept {
  return static_cast<int>((time >> (wheel * digit_bits)) & (slots - 1));
}

// The highest digit in which the two differ.
int TimerWheel::wheel_of(Ticks time, Ticks now) noexcept {
  return (63 - std::countl_zero((time ^ now) | 1)) / digit_bits;
}

// ---------------------------------------------------------------- circles

void TimerWheel::append(Slot& slot, Timer& timer) noexcept {
  if (slot) {
    timer.next_runnable = slot->next_runnable;
    timer.next()->previous_ = &timer;
    slot->next_runnable = &timer;
    timer.previous_ = slot;
  } else {
    timer.next_runnable = &timer;
    timer.previous_ = &timer;
  }
  slot = &timer;
}

void TimerWheel::unlink(Slot& slot, Timer& timer) noexcept {
  Timer* const next = timer.next();
  Timer* const previous = timer.previous_;
  previous->next_runnable = next;
  next->previous_ = previous;
  if (slot == &timer) slot = previous == &timer ? nullptr : previous;
  timer.previous_ = nullptr;
}

Timer* TimerWheel::pop_first(Slot& slot) noexcept {
  Timer* const first = slot->next();
  unlink(slot, *first);
  return first;
}

// ---------------------------------------------------------------- adding and removing

void TimerWheel::add(Timer& timer, Clock::time_point when) noexcept {
  timer.when_ = when;
  ++count_;
  if (ticks(when) <= now_) {
    add_overdue(timer);
  } else {
    place(timer);
  }
}

void TimerWheel::place(Timer& timer) noexcept {
  const Ticks time = ticks(timer.when_);
  const int wheel = wheel_of(time, now_);
  const int slot = digit(time, wheel);
  wheels_[wheel].occupied |= std::uint64_t{1} << slot;
  append(wheels_[wheel].slot[slot], timer);
}

void TimerWheel::add_overdue(Timer& timer) noexcept {
  if (!overdue_ || overdue_->when_ <= timer.when_) return append(overdue_, timer);
  Timer* later = overdue_;
  while (later != overdue_->next() && later->previous_->when_ > timer.when_) {
    later = later->previous_;
  }
  timer.next_runnable = later;
  timer.previous_ = std::exchange(later->previous_, &timer);
  timer.previous_->next_runnable = &timer;
}

void TimerWheel::remove(Timer& timer) noexcept {
  --count_;
  const Ticks time = ticks(timer.when_);
  if (time <= now_) return unlink(overdue_, timer);
  const int wheel = wheel_of(time, now_);
  const int number = digit(time, wheel);
  Slot& slot = wheels_[wheel].slot[number];
  unlink(slot, timer);
  if (!slot) wheels_[wheel].occupied &= ~(std::uint64_t{1} << number);
}

Timer* TimerWheel::take_any() noexcept {
  if (empty()) return nullptr;
  const int wheel = overdue_ ? 0 : first_occupied_wheel();
  Slot& slot = overdue_ ? overdue_ : wheels_[wheel].slot[std::countr_zero(wheels_[wheel].occupied)];
  Timer* const timer = slot;
  remove(*timer);
  return timer;
}

// ---------------------------------------------------------------- time

int TimerWheel::first_occupied_wheel() const noexcept {
  int wheel = 0;
  while (wheel < wheels && wheels_[wheel].occupied == 0) ++wheel;
  return wheel;
}

std::optional<Clock::time_point> TimerWheel::next_deadline() const noexcept {
  if (overdue_) return overdue_->next()->when_;
  const int wheel = first_occupied_wheel();
  if (wheel == wheels) return {};
  const Slot last = wheels_[wheel].slot[std::countr_zero(wheels_[wheel].occupied)];
  Clock::time_point earliest = last->when_;
  for (const Timer* timer = last->next(); timer != last; timer = timer->next()) {
    earliest = std::min(earliest, timer->when_);
  }
  return earliest;
}

TimerWheel::Slot TimerWheel::take(int wheel, int number) noexcept {
  wheels_[wheel].occupied &= ~(std::uint64_t{1} << number);
  return std::exchange(wheels_[wheel].slot[number], nullptr);
}

void TimerWheel::advance(Clock::time_point now, ReadyQueue& ready) noexcept {
  const Ticks until = ticks(now);
  while (overdue_) {
    --count_;
    ready.push(*pop_first(overdue_));
  }
  while (count_ > 0 && enter_next_slot(until, ready)) {
  }
  now_ = std::max(now_, until);
}

// All timers of the lowest occupied wheel come before those of higher ones, and its slots before
// the present digit are empty. False: the next slot begins after `until`.
bool TimerWheel::enter_next_slot(Ticks until, ReadyQueue& ready) noexcept {
  const int wheel = first_occupied_wheel();
  const int number = std::countr_zero(wheels_[wheel].occupied);
  const int shift = wheel * digit_bits;
  const Ticks lower = (Ticks{1} << shift) - 1;
  const Ticks digits = Ticks{slots - 1} << shift;
  const Ticks start = (now_ & ~lower & ~digits) | (static_cast<Ticks>(number) << shift);
  if (start > until) return false;
  now_ = std::max(now_, start);
  Slot slot = take(wheel, number);
  while (slot) {
    Timer* const timer = pop_first(slot);
    if (wheel == 0) {
      --count_;
      ready.push(*timer);
    } else {
      place(*timer);
    }
  }
  return true;
}

}  // namespace plait::detail
