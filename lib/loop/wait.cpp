// A task waits until enough of several states are done, or until a deadline.
#include <plait/loop/wait.hpp>

#include <atomic>
#include <stdexcept>
#include <utility>

namespace plait::detail {
namespace {

class WaitOperation;

// The watches of one wait(). Some may still be on their way when the wait is over, so it lives on
// until they have come.
class WaitedList final : public WatchList {
 public:
  WaitedList(LoopCore& core, WaitOperation& consumer, std::span<FutureState* const> states)
      : WatchList(&core), consumer_(&consumer), watches_(states.size()) {
    for (std::size_t i = 0; i < states.size(); ++i) {
      set_state(watches_[i], StateRef<FutureState>::share(*states[i]), "wait()");
    }
  }

  void begin() noexcept { start(watches_); }
  // Nobody waits any more. May destroy the list.
  void drop() noexcept {
    consumer_ = nullptr;
    if (unlink(watches_)) let_go();
    let_go();
  }

 private:
  void child_ended(Watch& watch) noexcept override;
  void all_ended() noexcept override { let_go(); }
  FutureState* awaited_for() const noexcept override;
  void let_go() noexcept {
    if (--holders_ == 0) delete this;
  }

  WaitOperation* consumer_;  // null: gone
  // The consumer and the watches that are pending. Each side subtracts itself once, the latter in
  // another thread if the loop is closed; who comes to 0 deletes.
  std::atomic<int> holders_{2};
  std::vector<Watch> watches_;
};

class WaitOperation final : public Operation<void>, public Timer {
 public:
  WaitOperation(std::span<FutureState* const> states, const WaitOptions& options)
      : states_(states), options_(options), missing_(states.size()) {}
  ~WaitOperation() override { end_wait(); }

  bool ready() override {
    LoopCore& core = require_running_core();
    check_arguments();
    list_ = new WaitedList(core, *this, states_);
    list_->begin();
    return enough_;
  }
  void suspend() noexcept override {
    if (options_.timeout) {
      timer_set_ = true;
      core().timers().add(*this, core().deadline(*options_.timeout));
    }
    waits_ = true;
    fiber->suspend(*this, *this);
  }
  Interrupted interrupt() noexcept override {
    if (enough_ || expiring()) return Interrupted::too_late;
    enough_ = true;
    end_wait();
    return Interrupted::gave_up;
  }
  void child_ended(const FutureState& child) noexcept {
    --missing_;
    if (enough_ || !fulfilled_by(child)) return;
    enough_ = true;
    if (!waits_ || expiring()) return;
    stop_timer();
    fiber->wake();
  }
  // The deadline has passed.
  void run() noexcept override {
    timer_set_ = false;
    enough_ = true;
    fiber->wake();
  }
  std::string describe() const override { return "timeout of wait() in " + fiber->name(); }
  std::string what() const override { return "wait()"; }
  FutureState* state() const noexcept { return fiber ? &fiber->state() : nullptr; }

 private:
  LoopCore& core() const noexcept { return static_cast<LoopCore&>(fiber->scheduler()); }
  // The timer is in the ready queue, which cannot be left: its turn there wakes the fiber.
  bool expiring() const noexcept { return timer_set_ && !armed(); }

  void check_arguments() const {
    if (states_.empty()) throw std::invalid_argument("Set of Tasks/Futures is empty.");
    const auto when = options_.return_when;
    if (FIRST_COMPLETED <= when && when <= ALL_COMPLETED) return;
    throw std::invalid_argument("Invalid return_when value: use one of ReturnWhen");
  }
  bool fulfilled_by(const FutureState& child) const noexcept {
    if (missing_ == 0 || options_.return_when == FIRST_COMPLETED) return true;
    return options_.return_when == FIRST_EXCEPTION && child.error() &&
           child.snapshot().phase() == Phase::finished;
  }
  void end_wait() noexcept {
    stop_timer();
    if (list_) std::exchange(list_, nullptr)->drop();
  }

  void stop_timer() noexcept {
    if (!armed()) return;
    core().timers().remove(*this);
    timer_set_ = false;
  }

  const std::span<FutureState* const> states_;  // owned by who awaits
  const WaitOptions options_;
  WaitedList* list_ = nullptr;
  std::size_t missing_;
  bool enough_ = false;  // the wait is over, and the fiber was woken or goes on
  bool waits_ = false;   // suspended: who brings enough wakes the fiber
  bool timer_set_ = false;
};

void WaitedList::child_ended(Watch& watch) noexcept {
  if (consumer_) consumer_->child_ended(watch.state());
}

FutureState* WaitedList::awaited_for() const noexcept {
  return consumer_ ? consumer_->state() : nullptr;
}

}  // namespace

Coroutine<> wait_in_loop(std::span<FutureState* const> states, const WaitOptions& options) {
  return make_coroutine<void>(new WaitOperation(states, options));
}

}  // namespace plait::detail
