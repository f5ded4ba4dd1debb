// The two operations that let other tasks run.
#include <plait/loop/sleep.hpp>

#include <cmath>
#include <stdexcept>
#include <string>

#include <plait/loop/detail/loop_core.hpp>

namespace plait::detail {
namespace {

class YieldOperation final : public Operation<void>, public Recycled<YieldOperation> {
 public:
  void suspend() noexcept override {
    fiber->suspend(*this, *this);
    fiber->wake();
  }
  Interrupted interrupt() noexcept override { return Interrupted::too_late; }
  std::string what() const override { return "yield()"; }
};

// In the loop's wheel, then in its ready queue, then gone: its turn there wakes the fiber. Until it
// is armed, when() is the delay: one field less in every task that sleeps.
class SleepOperation final : public Operation<void>, public Timer, public Recycled<SleepOperation> {
 public:
  explicit SleepOperation(Duration delay) noexcept : Timer(Clock::time_point(delay)) {}
  ~SleepOperation() override {
    if (armed()) core().timers().remove(*this);
  }

  bool ready() override {
    require_running_core();
    return false;
  }
  void suspend() noexcept override {
    core().timers().add(*this, core().deadline(when().time_since_epoch()));
    fiber->suspend(*this, *this);
  }
  Interrupted interrupt() noexcept override {
    if (!armed()) return Interrupted::too_late;
    core().timers().remove(*this);
    return Interrupted::gave_up;
  }
  void run() noexcept override { fiber->wake(); }
  std::string describe() const override { return "timer of " + fiber->name(); }
  std::string what() const override {
    if (!armed()) return "sleep()";
    const std::chrono::duration<double> left = when() - core().time();
    return "sleep() for another " + std::to_string(left.count()) + " s";
  }

 private:
  LoopCore& core() const noexcept { return static_cast<LoopCore&>(fiber->scheduler()); }
};

}  // namespace

Duration checked_delay(std::chrono::duration<long double> delay) {
  if (std::isnan(delay.count())) {
    throw std::invalid_argument("sleep() got a delay that is not a number: check its calculation");
  }
  return clamp_duration(delay);
}

}  // namespace plait::detail

namespace plait::aio {

Coroutine<> sleep(Duration delay) {
  if (delay <= Duration::zero()) return yield();
  return plait::detail::make_coroutine<void>(new plait::detail::SleepOperation(delay));
}

Coroutine<> yield() {
  return plait::detail::make_coroutine<void>(new plait::detail::YieldOperation);
}

}  // namespace plait::aio
