// What a Timeout refers to: a timer that cancels a task.
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>

#include <plait/core/clock.hpp>
#include <plait/loop/detail/task_state.hpp>
#include <plait/loop/detail/timer_wheel.hpp>

namespace plait::detail {

class TimeoutScope;

/// The deadline of one scope of one task. Loop thread only.
///
/// Its timer is in the wheel, or on its way through the ready queue, which cannot be left: what
/// comes out of there looks at the state again.
class TimeoutState final : public Timer, public std::enable_shared_from_this<TimeoutState> {
 public:
  explicit TimeoutState(std::optional<Clock::time_point> when) noexcept : when_(when) {}
  TimeoutState(const TimeoutState&) = delete;
  TimeoutState& operator=(const TimeoutState&) = delete;

  std::optional<Clock::time_point> when() const noexcept { return when_; }
  bool expired() const noexcept { return phase_ == Phase::expiring || phase_ == Phase::expired; }
  void reschedule(std::optional<Clock::time_point> when);

  /// The running task enters the scope.
  void enter();
  /// The task leaves it; may be called again. Takes back what the deadline did to the task; true:
  /// it has struck, and nobody else has cancelled the task since enter().
  bool leave() noexcept;
  /// As leave(); throws TimeoutError if `error` is the deadline's cancellation.
  void translate(const std::exception_ptr& error);

  void run() noexcept override;
  void abandon() noexcept override { in_queue_.reset(); }
  std::string describe() const override;

 private:
  enum class Phase : std::uint8_t { created, entered, expiring, expired, left };

  void set_timer();
  void stop_timer() noexcept;

  std::optional<Clock::time_point> when_;
  TaskBase* task_ = nullptr;  // const after enter(); alive until leave()
  int cancelling_ = 0;        // the task's count at enter()
  Phase phase_ = Phase::created;
  // Itself, while its timer is in the wheel or in the ready queue.
  std::shared_ptr<TimeoutState> in_queue_;
};

}  // namespace plait::detail
