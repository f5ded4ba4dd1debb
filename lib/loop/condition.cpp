// Event and Condition.
#include <plait/loop/locks.hpp>

#include <string>

namespace plait::detail {

/// A task's place in the lists of a Condition.
class ConditionLink : public WaiterLink {
 public:
  explicit ConditionLink(ConditionWait& wait) noexcept : wait_(wait) {}
  ConditionWait& wait() const noexcept { return wait_; }

 private:
  ConditionWait& wait_;
};

//                suspend()            notify(), cancelled         the lock is handed over
//   before ───────────────▶ waiting ───────────────────▶ locking ────────────────────▶ holding
//                              └────────────────────────────────────────────────────────▲
//                                                        cancelled, and the lock is free
//
// A task that gets its lock back has it whether its wait ends well or not. Where the frame is
// destroyed in between, what guards the lock there will release it all the same.

class ConditionWait final : public Operation<bool>,
                            public PermitWaiter,
                            public Recycled<ConditionWait> {
 public:
  explicit ConditionWait(aio::Condition& condition) noexcept
      : condition_(condition), lock_(condition.lock_->permits_) {}
  ~ConditionWait() override {
    if (stage_ == Stage::waiting || stage_ == Stage::locking) lock_.take_on_credit();
    pass_notification_on();
  }

  bool ready() override {
    if (!condition_.locked()) {
      throw RuntimeError("cannot wait on un-acquired lock: acquire() or scoped() first");
    }
    condition_.binding_.bind();
    lock_.bind();
    lock_.check_here();
    return false;
  }
  void suspend() noexcept override {
    stage_ = Stage::waiting;
    condition_.waiting_.push_back(place_);
    lock_.give();
    fiber->suspend_for_grant(*this, *this);
  }
  /// Notified, it stands in line for the lock.
  void notified() noexcept {
    notified_ = true;
    place_.unlink();
    condition_.notified_.push_back(place_);
    enter_line();
  }
  /// The condition goes away: as notified(), but it ends with `error`.
  void condition_gone(const std::exception_ptr& error) noexcept {
    error_ = error;
    place_.unlink();
    if (!lock_.try_take()) return enter_line();
    stage_ = Stage::holding;
    fiber->wake();
  }

  Interrupted interrupt() noexcept override {
    if (stage_ == Stage::waiting) {
      place_.unlink();
      if (lock_.try_take()) {
        stage_ = Stage::holding;
        return Interrupted::gave_up;
      }
      enter_line();
    }
    cancelled_ = true;
    pass_notification_on();
    return Interrupted::passed_on;
  }
  void granted() noexcept override {
    stage_ = Stage::holding;
    fiber->wake();
  }
  void refused(std::exception_ptr error) noexcept override {
    stage_ = Stage::ended;
    error_ = std::move(error);
    fiber->wake();
  }
  void accept() noexcept override {
    end();
    if (cancelled_) error_ = fiber->make_cancelled_error();
    if (error_) {
      result.set_error(error_);
    } else {
      result.set_value(true);
    }
  }
  void fail(std::exception_ptr error) noexcept override {
    pass_notification_on();
    end();
    Operation::fail(std::move(error));
  }
  std::string what() const override { return "Condition.wait()"; }

 private:
  enum class Stage { before, waiting, locking, holding, ended };

  void enter_line() noexcept {
    stage_ = Stage::locking;
    lock_.enter(*this);
  }
  void end() noexcept {
    stage_ = Stage::ended;
    place_.unlink();
    unlink();
  }
  // Not linked although notified: the condition is gone.
  void pass_notification_on() noexcept {
    if (std::exchange(notified_, false) && place_.linked()) condition_.notify_next();
  }

  aio::Condition& condition_;
  Permits& lock_;
  ConditionLink place_{*this};
  std::exception_ptr error_;
  Stage stage_ = Stage::before;
  bool notified_ = false;   // by a notification that would be lost if it were cancelled
  bool cancelled_ = false;  // while it could not yet leave
};

}  // namespace plait::detail

namespace plait::aio {

// ---------------------------------------------------------------- Event

Coroutine<bool> Event::wait() {
  return detail::make_coroutine<bool>(new detail::SignalWait<bool>(line_, "Event.wait()"));
}

void Event::set() {
  line_.check_here();
  line_.open();
}

// ---------------------------------------------------------------- Condition

Condition::Condition(std::shared_ptr<Lock> lock)
    : lock_(lock ? std::move(lock) : std::make_shared<Lock>()), binding_("Condition") {}

Condition::~Condition() {
  if (waiting_.empty()) return;
  const auto error = detail::destroyed_error(binding_.what());
  while (!waiting_.empty()) waiting_.front().wait().condition_gone(error);
}

Coroutine<bool> Condition::wait() {
  return detail::make_coroutine<bool>(new detail::ConditionWait(*this));
}

void Condition::notify(std::size_t n) {
  if (!locked()) {
    throw RuntimeError("cannot notify on un-acquired lock: acquire() or scoped() first");
  }
  if (!waiting_.empty()) binding_.check_here();
  for (; n > 0 && !waiting_.empty(); --n) notify_next();
}

void Condition::notify_all() { notify(static_cast<std::size_t>(-1)); }

void Condition::notify_next() noexcept {
  if (!waiting_.empty()) waiting_.front().wait().notified();
}

}  // namespace plait::aio
