// One iteration of the loop, and what it does when there is nothing to do.
#include <plait/loop/detail/loop_core.hpp>

#include <memory>
#include <stdexcept>

#include <plait/core/cancelled_error.hpp>
#include <plait/core/errors.hpp>
#include <plait/core/log.hpp>
#include <plait/loop/detail/task_state.hpp>

#include "core/adaptive_spin.hpp"
#include "core/wait_graph.hpp"
#include "loop/selector.hpp"

namespace plait::detail {
namespace {

// How many handles a busy loop runs between two looks at the clock and at the descriptors.
constexpr int handles_between_polls = 64;

// Learns from every idle moment of a loop in this thread whether other threads post so soon that
// going to sleep does not pay. Timers and descriptors alone teach it not to spin at all.
AdaptiveSpin& spin_of_this_thread() {
  static thread_local AdaptiveSpin spin;
  return spin;
}

}  // namespace

// ---------------------------------------------------------------- running

class LoopCore::RunScope {
 public:
  explicit RunScope(LoopCore& core) : core_(core) {
    core.check_can_run();
    below_ = std::exchange(execution, {});
    core.running_ = true;
    core.poll_credit_ = 0;
    core.adopt_thread();
    running_loop = &core;
  }
  RunScope(const RunScope&) = delete;
  RunScope& operator=(const RunScope&) = delete;
  ~RunScope() {
    running_loop = nullptr;
    core_.running_ = false;
    core_.stopping_ = false;
    execution = below_;
  }

 private:
  LoopCore& core_;
  Execution below_;  // of a coroutine that runs the loop
};

void LoopCore::run_forever() {
  if (driver_) throw RuntimeError("This event loop is run by an io_context: run that");
  const RunScope scope(*this);
  do {
    run_once();
  } while (!stopping_);
  if (std::exchange(interrupted_, false)) throw KeyboardInterrupt();
}

LoopTurn LoopCore::run_turn() {
  const RunScope scope(*this);
  poll_credit_ = handles_between_polls;
  do {
    run_once();
  } while (!ready_.empty() && poll_credit_ > 0);
  if (!ready_.empty() || !inbox_.sleep_in_selector()) return {.more = true, .next = {}};
  return {.more = false, .next = timers_.next_deadline()};
}

// Stops the loop when a future is done, an iteration later, as Python does. In the ready queue it
// outlives a run that ends early.
class LoopCore::StopWhenDone final : public Waiter, public Runnable {
 public:
  StopWhenDone(LoopCore& core, std::shared_ptr<bool> wanted)
      : core_(core.shared_from_this()), wanted_(std::move(wanted)) {}

  void notify(FutureState&) noexcept override { core_->post(*this); }
  void run() noexcept override {
    if (std::exchange(*wanted_, false)) core_->stop();
    delete this;
  }
  void abandon() noexcept override { delete this; }
  std::string describe() const override { return "end of run_until_complete()"; }

 private:
  const std::shared_ptr<LoopCore> core_;  // the run, and the loop, may be over before the future
  const std::shared_ptr<bool> wanted_;    // false: the run is over. Loop thread only
};

void LoopCore::run_until_done(FutureState& state) {
  const bool outside = state.owner() != this && state.owner();
  if (outside && state.snapshot().has(of_loop)) {
    throw std::invalid_argument(
        "run_until_complete() got a future of another loop: run that loop instead");
  }
  const auto wanted = std::make_shared<bool>(true);
  auto* const stopper = new StopWhenDone(*this, wanted);
  if (!state.add_waiter(*stopper)) stopper->notify(state);
  outside_ += outside;
  const auto end_run = [&] {
    outside_ -= outside;
    if (std::exchange(*wanted, false) && state.remove_waiter(*stopper)) delete stopper;
  };
  try {
    run_forever();
  } catch (...) {
    end_run();
    throw;
  }
  end_run();
  if (!state.done()) throw RuntimeError("Event loop stopped before Future completed.");
}

bool LoopCore::idle() const noexcept {
  if (!ready_.empty() || !inbox_.empty()) return false;
  const auto next = timers_.next_deadline();
  return !next || *next > time();
}

void LoopCore::run_once() {
  ++iteration_;
  inbox_.take_all(ready_);
  if (ready_.empty() || poll_credit_ <= 0 || timers_.has_overdue()) select();
  if (trace) call_trace();
  run_ready();
}

// What becomes ready meanwhile stands behind the last one and waits for the next iteration.
void LoopCore::run_ready() {
  if (ready_.empty()) return;
  const Runnable* const last = ready_.last();
  for (bool more = true; more;) {
    Runnable& work = *ready_.pop();
    more = &work != last;
    --poll_credit_;
    if (debug_) [[unlikely]] {
      run_timed(work);
    } else {
      work.run();
    }
  }
}

void LoopCore::run_timed(Runnable& work) {
  const std::string what = work.describe();
  const auto start = Clock::now();
  work.run();
  const auto taken = Clock::now() - start;
  if (taken < slow_callback_duration) return;
  log_made(LogLevel::warning, [&] {
    const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(taken).count();
    return "Executing " + what + " took " + std::to_string(milliseconds) +
           " ms, and the loop stood still meanwhile: give long work to an executor";
  });
}

void LoopCore::call_trace() {
  std::vector<std::string> names;
  for (const Runnable* work = ready_.first(); work; work = work->next_runnable) {
    if (auto name = work->describe(); !name.empty()) names.push_back(std::move(name));
  }
  const auto traced = trace;  // it may replace itself
  try {
    traced(iteration_, names);
  } catch (...) {
    report("Exception in trace function", std::current_exception());
  }
}

// ---------------------------------------------------------------- waiting

void LoopCore::select() {
  if (driver_) {
    if (!timers_.empty()) timers_.advance(time(), ready_);
    return;
  }
  if (selector_ && has_nothing_to_do()) return wait_for_event();
  poll_credit_ = handles_between_polls;
  if (selector_) {
    selector_->poll();
    inbox_.take_all(ready_);
  }
  if (!timers_.empty()) timers_.advance(time(), ready_);
  if (!ready_.empty() || stopping_) return;
  if (options_.virtual_time) {
    jump_or_wait();
  } else {
    sleep_until(timers_.next_deadline());
  }
  inbox_.take_all(ready_);
  if (!timers_.empty()) timers_.advance(time(), ready_);
}

bool LoopCore::has_nothing_to_do() const noexcept {
  if (!ready_.empty() || stopping_ || options_.virtual_time) return false;
  const auto next = timers_.next_deadline();
  return !next || *next > time();
}

// Without asking first what is ready: one system call less. The rest of what is ready by then comes
// in the next iterations.
void LoopCore::wait_for_event() {
  sleep_until(timers_.next_deadline());
  poll_credit_ = 0;
  inbox_.take_all(ready_);
  if (!timers_.empty()) timers_.advance(time(), ready_);
}

// Virtual time stands still as long as work runs elsewhere that a task waits for.
void LoopCore::jump_or_wait() {
  const auto next = timers_.next_deadline();
  if (outside_ > 0 || (!next && watches_anything())) return sleep_until({});
  if (next) {
    virtual_now_ = *next;
  } else if (inbox_.empty()) {
    throw DeadlockError(describe_waiting_tasks());
  }
}

bool LoopCore::watches_anything() {
  if (!selector_) return false;
  MutexLock lock(owners_mutex());
  return selector_->watches_anything();
}

void LoopCore::sleep_until(Deadline deadline) {
  if (spin_until(deadline)) return;
  if (!selector_) {
    inbox_.sleep(deadline);
  } else if (inbox_.sleep_in_selector()) {
    selector_->wait(deadline);
  }
  if (inbox_.has_work()) {
    spin_of_this_thread().woke();
  } else {
    spin_of_this_thread().in_vain();
  }
}

// True: there may be something to do. A selector is asked now and then, as descriptors cannot wait
// either.
bool LoopCore::spin_until(Deadline deadline) {
  constexpr int looks_between_polls = 64;
  AdaptiveSpin& spin = spin_of_this_thread();
  if (!spin.pays()) {
    spin.skip();
    return false;
  }
  int looks = 0;
  bool polled = false;
  const auto ready = [&] {
    if (!inbox_.empty()) return true;
    if (selector_ && ++looks % looks_between_polls == 0) polled = selector_->poll();
    return polled;
  };
  const bool found = deadline ? spin.until(ready, *deadline - Clock::now()) : spin.until(ready);
  if (polled) spin.in_vain();
  return found;
}

std::string LoopCore::describe_waiting_tasks() const {
  std::string text =
      "deadlock: the loop has virtual time and nothing will ever happen in it: no timer, no "
      "descriptor, no executor's job. It waits for";
  if (!tasks_) text += " stop(), without any task";
  for (const TaskBase* task = tasks_; task; task = task->next_) {
    const Suspension* const on = task->suspended_on();
    text += (task == tasks_ ? " " : ", ") + task->name();
    if (on && !on->what().empty()) text += " (in " + on->what() + ")";
  }
  return text;
}

}  // namespace plait::detail
