// Tasks that wait for one event: what Event, Barrier and Queue::join() are made of.
#pragma once

#include <exception>
#include <string>
#include <type_traits>
#include <utility>

#include <plait/core/detail/fiber.hpp>
#include <plait/core/detail/frame_memory.hpp>
#include <plait/loop/detail/waiter_list.hpp>

namespace plait::detail {

/// An operation that waits in a line for a wake-up that gives it nothing it could lose.
class SignalWaiter : public WaiterLink {
 public:
  /// Runs in: the loop. Taken out of its line, it ends with `error`; null: as it should.
  virtual void wake(std::exception_ptr error) noexcept = 0;

 protected:
  ~SignalWaiter() = default;
};

/// Those who wait for one event, all of whom it wakes at once; while it is open, nobody has to
/// wait. Loop thread only.
class SignalLine {
 public:
  /// `what` names the owner's class in messages.
  SignalLine(const char* what, bool open) noexcept : binding_(what), open_(open) {}
  /// Those who still wait get RuntimeError.
  ~SignalLine() {
    if (!waiting_.empty()) wake_all(destroyed_error(binding_.what()));
  }
  SignalLine(const SignalLine&) = delete;
  SignalLine& operator=(const SignalLine&) = delete;

  bool is_open() const noexcept { return open_; }
  void open() noexcept {
    open_ = true;
    wake_all();
  }
  void close() noexcept { open_ = false; }
  void bind() { binding_.bind(); }
  /// See LoopBinding::check_here().
  void check_here() const {
    if (!waiting_.empty()) binding_.check_here();
  }
  void enter(SignalWaiter& waiter) noexcept { waiting_.push_back(waiter); }
  void wake_all(const std::exception_ptr& error = nullptr) noexcept {
    while (!waiting_.empty()) waiting_.pop_front().wake(error);
  }

 private:
  LoopBinding binding_;
  WaiterList<SignalWaiter> waiting_;
  bool open_;
};

/// Waits in a SignalLine. T is void, or bool for those whose Python model returns True.
template <class T>
class SignalWait final : public Operation<T>, public SignalWaiter, public Recycled<SignalWait<T>> {
 public:
  /// `name` is how stacks call it.
  SignalWait(SignalLine& line, const char* name) noexcept : line_(line), name_(name) {}

  bool ready() override {
    if (line_.is_open()) {
      set_result();
      return true;
    }
    line_.bind();
    return false;
  }
  void suspend() noexcept override {
    line_.enter(*this);
    this->fiber->suspend(*this, *this);
  }
  Interrupted interrupt() noexcept override {
    unlink();
    return Interrupted::gave_up;
  }
  void wake(std::exception_ptr error) noexcept override {
    if (error) {
      this->result.set_error(std::move(error));
    } else {
      set_result();
    }
    this->fiber->wake();
  }
  std::string what() const override { return name_; }

 private:
  void set_result() noexcept {
    if constexpr (std::is_void_v<T>) {
      this->result.set_value();
    } else {
      this->result.set_value(true);
    }
  }

  SignalLine& line_;
  const char* const name_;
};

}  // namespace plait::detail
