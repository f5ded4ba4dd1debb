// One iteration of the loop, and what it does when there is nothing to do.
#include <plait/loop/detail/loop_core.hpp>

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <limits>
#include <stdexcept>

#include <plait/core/cancelled_error.hpp>
#include <plait/core/errors.hpp>
#include <plait/core/log.hpp>
#include <plait/loop/detail/loop_callback.hpp>
#include <plait/loop/detail/task_state.hpp>

#include "core/describe_exception.hpp"
#include "core/futex.hpp"
#include "core/live_schedulers.hpp"
#include "core/wait_graph.hpp"
#include "loop/selector.hpp"

namespace plait::detail {
namespace {

// How many handles a busy loop runs between two looks at the clock and at the descriptors.
constexpr int handles_between_polls = 64;

// SAFETY: never dereferenced; no object has an address that small, nor one that is odd.
Runnable* mark(std::uintptr_t number) { return reinterpret_cast<Runnable*>(number); }
Runnable* asleep_in_futex() { return mark(1); }
Runnable* asleep_in_selector() { return mark(3); }
Runnable* closed_mark() { return mark(5); }
bool is_mark(const Runnable* work) { return !work || reinterpret_cast<std::uintptr_t>(work) < 8; }

std::uint64_t this_thread() { return static_cast<std::uint64_t>(pthread_self()); }

// SAFETY: as StateWord::futex_address(); a mark differs from every address in the lower half.
const std::uint32_t* futex_address(const std::atomic<Runnable*>& word) {
  static_assert(std::atomic<Runnable*>::is_always_lock_free);
  return reinterpret_cast<const std::uint32_t*>(&word);
}

}  // namespace

LoopCore::LoopCore(aio::EventLoop& loop, aio::LoopOptions options)
    : loop_(loop),
      options_(options),
      timers_(time()),
      debug_(options.debug),
      thread_(this_thread()) {
  add_live_scheduler(*this);
}

// Afterwards whoever came here from a future has gone, see JobOwner.
LoopCore::~LoopCore() { remove_live_scheduler(*this); }

Clock::time_point LoopCore::deadline(Duration delay) const noexcept {
  const auto now = time();
  if (delay > Clock::time_point::max() - now) return Clock::time_point::max();
  return now + delay;
}

// ---------------------------------------------------------------- inbox

void LoopCore::post_from_outside(Runnable& work) noexcept {
  if (!push_from_outside(work)) work.abandon();
}

// What it found in the inbox instead of work, or the work it was put before.
Runnable* LoopCore::link_from_outside(Runnable& work) noexcept {
  Runnable* top = inbox_.load();
  do {  // [INBOX-2]
    if (top == closed_mark()) break;
    work.next_runnable = is_mark(top) ? nullptr : top;
  } while (!inbox_.compare_exchange_weak(top, &work));
  return top;
}

void LoopCore::post_from_signal(Runnable& work) noexcept {
  const Runnable* const found = link_from_outside(work);
  if (found == closed_mark()) work.abandon();
  if (found == asleep_in_futex()) futex_wake(futex_address(inbox_), 1);
  if (found == asleep_in_selector()) selector_->interrupt_from_signal();
}

bool LoopCore::push_from_outside(Runnable& work) noexcept {
  const Runnable* const top = link_from_outside(work);
  if (top == closed_mark()) return false;
  // From here on the loop may be gone: the kernel and the list of selectors know if it is.
  if (top == asleep_in_futex()) futex_wake(futex_address(inbox_), 1);
  if (top == asleep_in_selector()) interrupt_selector_if_alive();
  return true;
}

// `this` is an address only, until the set of live schedulers knows it.
void LoopCore::interrupt_selector_if_alive() noexcept {
  MutexLock lock(owners_mutex());
  if (is_live(this) && selector_) selector_->interrupt();
}

void LoopCore::take_inbox() noexcept {
  if (!inbox_.load()) [[likely]]
    return;
  Runnable* newest = inbox_.exchange(nullptr);
  if (is_mark(newest)) return;
  Runnable* oldest = nullptr;
  while (newest) {
    Runnable* const older = newest->next_runnable;
    newest->next_runnable = std::exchange(oldest, newest);
    newest = older;
  }
  while (oldest) ready_.push(*std::exchange(oldest, oldest->next_runnable));
}

// ---------------------------------------------------------------- running

class LoopCore::RunScope {
 public:
  explicit RunScope(LoopCore& core) : core_(core) {
    core.check_can_run();
    core.running_ = true;
    core.poll_credit_ = 0;
    core.thread_ = this_thread();
    running_loop = &core;
  }
  RunScope(const RunScope&) = delete;
  RunScope& operator=(const RunScope&) = delete;
  ~RunScope() {
    running_loop = nullptr;
    core_.running_ = false;
    core_.stopping_ = false;
  }

 private:
  LoopCore& core_;
};

void LoopCore::run_forever() {
  const RunScope scope(*this);
  do {
    run_once();
  } while (!stopping_);
  if (std::exchange(interrupted_, false)) throw KeyboardInterrupt();
}

// Stops the loop when a future is done, an iteration later, as Python does. In the ready queue it
// outlives a run that ends early.
class LoopCore::StopWhenDone final : public Waiter, public Runnable {
 public:
  explicit StopWhenDone(LoopCore& core, std::shared_ptr<bool> wanted)
      : core_(core), wanted_(std::move(wanted)) {}

  void notify(FutureState&) noexcept override { core_.post(*this); }
  void run() noexcept override {
    if (std::exchange(*wanted_, false)) core_.stop();
    delete this;
  }
  void abandon() noexcept override { delete this; }
  std::string describe() const override { return "end of run_until_complete()"; }

 private:
  LoopCore& core_;
  const std::shared_ptr<bool> wanted_;  // false: the run is over
};

void LoopCore::run_until_done(FutureState& state) {
  const bool outside = state.owner() != this && state.owner();
  if (outside && state.snapshot().has(of_loop)) {
    throw std::invalid_argument(
        "run_until_complete() got a future of another loop: run that loop, or use wrap_future()");
  }
  const auto wanted = std::make_shared<bool>(true);
  auto* const stopper = new StopWhenDone(*this, wanted);
  if (!state.add_waiter(*stopper)) push(*stopper);
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

void LoopCore::run_once() {
  ++iteration_;
  take_inbox();
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
           " ms, and the loop stood still meanwhile: give long work to run_in_executor()";
  });
}

void LoopCore::call_trace() {
  std::vector<std::string> names;
  for (const Runnable* work = ready_.first(); work; work = work->next_runnable) {
    if (auto name = work->describe(); !name.empty()) names.push_back(std::move(name));
  }
  trace(iteration_, names);
}

// ---------------------------------------------------------------- waiting

void LoopCore::select() {
  poll_credit_ = handles_between_polls;
  if (selector_) {
    selector_->poll();
    take_inbox();
  }
  if (!timers_.empty()) timers_.advance(time(), ready_);
  if (!ready_.empty() || stopping_) return;
  if (options_.virtual_time) {
    jump_or_wait();
  } else {
    sleep_until(timers_.next_deadline());
  }
  take_inbox();
  if (!timers_.empty()) timers_.advance(time(), ready_);
}

// Virtual time stands still as long as something outside of the loop can still happen.
void LoopCore::jump_or_wait() {
  const bool alone = outside_ == 0 && !(selector_ && selector_->watches_anything());
  if (!alone) return sleep_until({});
  if (const auto next = timers_.next_deadline()) {
    virtual_now_ = *next;
    return;
  }
  // What is done by others shows in the inbox before they stop being expected.
  if (is_mark(inbox_.load())) throw DeadlockError(describe_waiting_tasks());
}

void LoopCore::sleep_until(Deadline deadline) {
  Runnable* empty = nullptr;
  Runnable* const asleep = selector_ ? asleep_in_selector() : asleep_in_futex();
  if (!inbox_.compare_exchange_strong(empty, asleep)) return;  // [INBOX-1]
  if (selector_) {
    selector_->wait(deadline);
    return;
  }
  const auto expected = static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(asleep));
  while (inbox_.load() == asleep && futex_wait(futex_address(inbox_), expected, deadline)) {
  }
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

Selector& LoopCore::selector() {
  check_open();
  if (!selector_) selector_ = std::make_unique<Selector>(*this);
  return *selector_;
}

// ---------------------------------------------------------------- closing

void LoopCore::close() {
  if (running_) throw RuntimeError("Cannot close a running event loop: stop() it first");
  if (std::exchange(closed_, true)) return;
  destroy_tasks();
  while (Timer* const timer = timers_.take_any()) timer->abandon();
  {
    MutexLock lock(owners_mutex());
    selector_.reset();
  }
  Runnable* rest = inbox_.exchange(closed_mark());
  while (!is_mark(rest)) std::exchange(rest, rest->next_runnable)->abandon();
}

// A task that sleeps is detached from what it waits for and destroyed. If another thread is just
// waking it, its wake-up is awaited: it comes through the inbox, like all that others post.
void LoopCore::destroy_tasks() noexcept {
  for (;;) {
    take_inbox();
    while (Runnable* const work = ready_.pop()) work->abandon();
    if (!tasks_) return;
    if (tasks_->detach()) {
      tasks_->state().abandon();
    } else {
      sched_yield();
    }
  }
}

// ---------------------------------------------------------------- checks

void LoopCore::check_open() const {
  if (closed_) throw RuntimeError("Event loop is closed");
}

bool LoopCore::in_own_thread() const noexcept { return thread_.load() == this_thread(); }

void LoopCore::check_can_run() const {
  check_open();
  if (running_) throw RuntimeError("This event loop is already running");
  if (running_loop) {
    throw RuntimeError("Cannot run the event loop while another loop is running in this thread");
  }
}

void LoopCore::check_usable_slowly() const {
  check_open();
  if (in_own_thread()) return;
  throw RuntimeError(
      "Non-thread-safe operation invoked on an event loop other than the current one: use "
      "call_soon_threadsafe() or run_coroutine_threadsafe()");
}

void LoopCore::check_wait(const FutureState& job) const {
  if (!in_own_thread()) return;
  throw InvalidStateError("Result is not ready: blocking for " + job.describe() +
                          " in the thread of its loop would block for ever; co_await it, or give "
                          "it to run_until_complete()");
}

std::size_t LoopCore::worker_limit() const noexcept {
  return std::numeric_limits<std::size_t>::max();
}

LoopCore& require_running_core() {
  if (!running_loop) {
    throw RuntimeError("no running event loop: call this in a coroutine or callback of a loop");
  }
  return *running_core();
}

// ---------------------------------------------------------------- tasks

std::uint32_t LoopCore::next_task_id() noexcept {
  // Written by every loop that makes a task; only its rising matters.
  static std::atomic<std::uint32_t> last{0};
  return ++last;
}

void LoopCore::add_task(TaskBase& task) noexcept {
  task.next_ = tasks_;
  if (tasks_) tasks_->previous_ = &task;
  tasks_ = &task;
}

TaskBase* LoopCore::next_task(const TaskBase& task) noexcept { return task.next_; }

void LoopCore::remove_task(TaskBase& task) noexcept {
  if (task.next_) task.next_->previous_ = task.previous_;
  (task.previous_ ? task.previous_->next_ : tasks_) = task.next_;
}

// ---------------------------------------------------------------- reports

void LoopCore::report(std::string message, std::exception_ptr error) noexcept {
  const aio::ExceptionContext context{std::move(message), std::move(error)};
  if (exception_handler) {
    try {
      const auto handler = exception_handler;  // it may replace itself
      return handler(loop_, context);
    } catch (...) {
      log_made(LogLevel::error, [] {
        return "Unhandled error in exception handler: " +
               describe_exception(std::current_exception());
      });
    }
  }
  log_report(context);
}

void LoopCore::log_report(const aio::ExceptionContext& context) noexcept {
  log_made(LogLevel::error, [&] {
    if (!context.exception) return context.message;
    return context.message + ": " + describe_exception(context.exception);
  });
}

}  // namespace plait::detail
