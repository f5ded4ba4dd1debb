// Spinning for as long as it has paid lately, and not at all where it has not.
#pragma once

#include <sched.h>

#include <algorithm>

#include <plait/core/clock.hpp>

namespace plait::detail {

/// Tells the processor that this is a spin loop.
inline void cpu_relax() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Decides how long a thread spins before it sleeps. Waking a sleeper costs 10 to 60 µs here, so a
/// spin pays if what is awaited comes sooner than that; whether it does is learnt from every wait.
///
/// One thread only.
class AdaptiveSpin {
 public:
  /// False: it has been in vain for so long that even a short spin is a waste.
  bool pays() const noexcept { return budget_ > Duration::zero(); }

  /// Spins until `ready()` or until spinning does not pay any more; returns the last `ready()`.
  template <class Ready>
  bool until(Ready ready) {
    return until(ready, max_budget);
  }
  /// As above, for at most `limit`.
  template <class Ready>
  bool until(Ready ready, Duration limit) {
    for (int i = 0; i < short_spins; ++i) {
      if (ready()) return true;
      cpu_relax();
    }
    started_ = Clock::now();
    const Duration longest = std::min(budget_, limit);
    while (Clock::now() - started_ < longest) {
      sched_yield();  // who is to bring about what is awaited may need this very processor
      for (int i = 0; i < short_spins; ++i) {
        if (ready()) {
          budget_ = max_budget;
          return true;
        }
        cpu_relax();
      }
    }
    return ready();
  }

  /// To be called instead of until() where pays() is false.
  void skip() noexcept { started_ = Clock::now(); }

  /// To be called when a wait that until() gave up has ended because of something that happened at
  /// `event`: was that so soon that spinning pays?
  void woke(Clock::time_point event) {
    budget_ = event - started_ < max_budget ? max_budget : budget_ / 2;
  }
  /// As above, where only the end of the wait is known.
  void woke() { woke(Clock::now() - wake_up_cost); }
  /// To be called when the wait has ended because of something that spinning does not hasten.
  void in_vain() noexcept { budget_ /= 2; }

 private:
  static constexpr int short_spins = 32;  // about 1 µs: less than going to sleep costs
  static constexpr Duration wake_up_cost = std::chrono::microseconds(50);
  static constexpr Duration max_budget = wake_up_cost;

  Duration budget_ = max_budget;
  Clock::time_point started_;
};

}  // namespace plait::detail
