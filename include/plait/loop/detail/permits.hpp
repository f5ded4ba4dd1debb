// Permits that tasks wait for: what Lock and Semaphore are made of.
#pragma once

#include <cstddef>
#include <exception>
#include <string>
#include <utility>

#include <plait/core/detail/fiber.hpp>
#include <plait/core/detail/frame_memory.hpp>
#include <plait/loop/detail/waiter_list.hpp>

namespace plait::detail {

/// An operation that waits for a permit. Loop thread only.
class PermitWaiter : public WaiterLink {
 public:
  /// The permit is its own, unless it gives it back before its fiber resumes.
  virtual void granted() noexcept = 0;
  /// There will never be one.
  virtual void refused(std::exception_ptr error) noexcept = 0;

 protected:
  ~PermitWaiter() = default;
};

/// A number of permits, handed out first come, first served.
///
/// A permit that is given back while somebody waits is handed over at once, so nobody who asks
/// meanwhile gets it. Invariant: while somebody waits, none is free. Loop thread only.
class Permits {
 public:
  /// `what` names the owner's class in messages.
  Permits(std::ptrdiff_t free, const char* what) noexcept : free_(free), binding_(what) {}
  /// Those who still wait get RuntimeError.
  ~Permits();
  Permits(const Permits&) = delete;
  Permits& operator=(const Permits&) = delete;

  std::ptrdiff_t free() const noexcept { return free_; }
  bool try_take() noexcept {
    if (free_ <= 0) return false;
    --free_;
    return true;
  }
  /// Gives one back, or a new one.
  void give() noexcept {
    if (free_ < 0 || waiting_.empty()) {
      ++free_;
    } else {
      hand_over();
    }
  }
  /// For a frame that is destroyed while it had given its permit up for a time: its guards are
  /// going to give back what it does not have.
  void take_on_credit() noexcept { --free_; }

  void bind() { binding_.bind(); }
  /// See LoopBinding::check_here().
  void check_here() const {
    if (!waiting_.empty()) binding_.check_here();
  }
  void enter(PermitWaiter& waiter) noexcept { waiting_.push_back(waiter); }

 private:
  void hand_over() noexcept;

  std::ptrdiff_t free_;  // negative: taken on credit
  LoopBinding binding_;
  WaiterList<PermitWaiter> waiting_;
  WaiterList<PermitWaiter> granted_;  // those that have not resumed yet
};

/// The next permit as a value that `Make` makes of it: true, or a guard.
template <class T, class Make>
class PermitOperation final : public Operation<T>,
                              public PermitWaiter,
                              public Recycled<PermitOperation<T, Make>> {
 public:
  /// `name` is how stacks call it.
  PermitOperation(Permits& permits, const char* name, Make make) noexcept
      : permits_(permits), name_(name), make_(make) {}
  ~PermitOperation() override { give_back(); }

  bool ready() override {
    if (permits_.try_take()) {
      this->result.set_value(make_());
      return true;
    }
    permits_.bind();
    return false;
  }
  void suspend() noexcept override {
    permits_.enter(*this);
    this->fiber->suspend_for_grant(*this, *this);
  }
  Interrupted interrupt() noexcept override {
    unlink();
    return Interrupted::gave_up;
  }
  void granted() noexcept override {
    holds_ = true;
    this->fiber->wake();
  }
  void refused(std::exception_ptr error) noexcept override {
    this->result.set_error(std::move(error));
    this->fiber->wake();
  }
  void accept() noexcept override {
    if (!holds_) return;
    if (!linked()) return this->result.set_error(destroyed_error(name_));
    unlink();
    holds_ = false;
    this->result.set_value(make_());
  }
  void fail(std::exception_ptr error) noexcept override {
    give_back();
    Operation<T>::fail(std::move(error));
  }
  std::string what() const override { return name_; }

 private:
  // Not linked although it holds one: the permits are gone.
  void give_back() noexcept {
    if (!linked()) return;
    unlink();
    if (std::exchange(holds_, false)) permits_.give();
  }

  Permits& permits_;
  const char* const name_;
  const Make make_;
  bool holds_ = false;  // a permit that its fiber does not know of yet
};

}  // namespace plait::detail
