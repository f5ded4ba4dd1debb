// A loop from its making to its closing, and what others ask of it.
#include <plait/loop/detail/loop_core.hpp>

#include <pthread.h>

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

std::uint64_t this_thread() { return static_cast<std::uint64_t>(pthread_self()); }

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

// ---------------------------------------------------------------- posting

void LoopCore::post_from_outside(Runnable& work) noexcept {
  if (!push_from_outside(work)) work.abandon();
}

bool LoopCore::push_from_outside(Runnable& work) noexcept {
  const auto found = inbox_.push(work);
  // From here on the loop may be gone: `this` is an address only.
  if (found == LoopInbox::Found::asleep_in_selector) wake_sleeper_if_alive();
  return found != LoopInbox::Found::closed;
}

bool LoopCore::push_from_outside_locked(Runnable& work) noexcept {
  const auto found = inbox_.push(work);
  if (found == LoopInbox::Found::asleep_in_selector) wake_sleeper();
  return found != LoopInbox::Found::closed;
}

void LoopCore::post_from_signal(Runnable& work) noexcept {
  const auto found = inbox_.push(work);
  if (found == LoopInbox::Found::closed) work.abandon();
  if (found == LoopInbox::Found::asleep_in_selector) selector_->interrupt_from_signal();
}

void LoopCore::wake_sleeper_if_alive() noexcept {
  MutexLock lock(owners_mutex());
  if (is_live(this)) wake_sleeper();
}

// What it sleeps in may be gone: it is woken already, and is being closed.
void LoopCore::wake_sleeper() noexcept {
  if (driver_) {
    driver_->wake();
  } else if (selector_) {
    selector_->interrupt();
  }
}

// What was posted before goes before it. A driver is to learn of it.
void LoopCore::push_while_idle(Runnable& work) noexcept {
  if (driver_) return post_from_outside(work);
  inbox_.take_all(ready_);
  ready_.push(work);
}

void LoopCore::set_driver(LoopDriver* driver) noexcept {
  MutexLock lock(owners_mutex());
  driver_ = driver;
}

void LoopCore::wake_driver() noexcept {
  if (inbox_.wake_from_selector()) driver_->wake();
}

// ---------------------------------------------------------------- closing

void LoopCore::close() {
  if (running_) throw RuntimeError("Cannot close a running event loop: stop() it first");
  if (std::exchange(closed_, true)) return;
  destroy_tasks();
  forget_generators();
  while (Timer* const timer = timers_.take_any()) timer->abandon();
  destroy_selector();
  inbox_.close();
  shut_down_executor();
}

// What its jobs post to this loop is refused by now. They go on, and their futures get the results.
void LoopCore::shut_down_executor() noexcept {
  try {
    default_executor_.release().shutdown(false);
  } catch (...) {
    report("close() could not shut the default executor down", std::current_exception());
  }
}

// Who comes to interrupt it holds the mutex. What the user's callbacks own is destroyed without it.
void LoopCore::destroy_selector() noexcept {
  std::unique_ptr<Selector> selector;
  MutexLock lock(owners_mutex());
  selector = std::move(selector_);
}

// A task that sleeps is detached from what it waits for and destroyed. If another thread is just
// waking it, its wake-up is awaited: it comes through the inbox, like all that others post.
void LoopCore::destroy_tasks() noexcept {
  for (;;) {
    inbox_.take_all(ready_);
    if (Runnable* const work = ready_.pop()) {
      work->abandon();  // may wake others, which then are in the inbox
      continue;
    }
    if (!tasks_) return;
    if (tasks_->detach()) {
      tasks_->state().abandon();
    } else {
      inbox_.sleep({});
    }
  }
}

// ---------------------------------------------------------------- checks

Selector& LoopCore::selector() {
  check_open();
  if (!selector_) selector_ = std::make_unique<Selector>(*this);
  return *selector_;
}

void LoopCore::set_selector(std::unique_ptr<Selector> selector) noexcept {
  selector_ = std::move(selector);
}

void LoopCore::check_open() const {
  if (closed_) throw RuntimeError("Event loop is closed");
}

void LoopCore::adopt_thread() noexcept { thread_ = this_thread(); }

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
  if (!running_ || in_own_thread()) return;
  throw RuntimeError(
      "Non-thread-safe operation invoked on an event loop other than the current one: use "
      "call_soon_threadsafe() or run_coroutine_threadsafe()");
}

// A thread that made the loop for another one to run may block for what it has posted there, and
// may come before the other.
void LoopCore::check_wait(const FutureState& job) const {
  if (running_loop != this && (job.snapshot().has(from_any_thread) || !in_own_thread())) return;
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

std::uint32_t LoopCore::take_ids() noexcept {
  // Written by every loop and thread that has used up its numbers; only its rising matters.
  static std::atomic<std::uint32_t> taken{0};
  return taken.fetch_add(task_ids_at_once);
}

void LoopCore::take_task_ids() noexcept { next_task_id_ = take_ids(); }

std::uint32_t LoopCore::next_task_id_of_thread() noexcept {
  static thread_local std::uint32_t last = 0;
  if (last % task_ids_at_once == 0) last = take_ids();
  return ++last;
}

TaskBase* LoopCore::current_task() const noexcept {
  return static_cast<TaskBase*>(execution.fiber);
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
