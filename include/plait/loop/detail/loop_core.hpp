// The engine of EventLoop: ready queue, timers, inbox, tasks.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <plait/core/clock.hpp>
#include <plait/core/detail/future_state.hpp>
#include <plait/core/detail/ready_queue.hpp>
#include <plait/core/detail/scheduler.hpp>
#include <plait/loop/detail/default_executor.hpp>
#include <plait/loop/detail/loop_driver.hpp>
#include <plait/loop/detail/loop_inbox.hpp>
#include <plait/loop/detail/timer_wheel.hpp>
#include <plait/loop/loop_options.hpp>

namespace plait {
template <class T>
class Coroutine;
namespace aio {
class EventLoop;
}
}  // namespace plait

namespace plait::detail {

class AsyncGeneratorState;
class TaskBase;
class LoopCallback;
class Selector;

/// What an EventLoop is made of, and what its tasks and futures know of it. Lives as long as the
/// EventLoop and every future of create_promise().
///
/// Everything is loop thread only, unless it says otherwise.
class LoopCore final : public Scheduler, public std::enable_shared_from_this<LoopCore> {
 public:
  LoopCore(aio::EventLoop& loop, aio::LoopOptions options);
  ~LoopCore();
  LoopCore(const LoopCore&) = delete;
  LoopCore& operator=(const LoopCore&) = delete;

  aio::EventLoop& loop() const noexcept { return loop_; }

  // -- the ready queue
  /// Runs in: the thread that has the loop, whether it runs or not.
  void push(Runnable& work) noexcept {
    if (!running_) [[unlikely]]
      return push_while_idle(work);
    ready_.push(work);
  }
  /// Runs in: any thread. As push(); false: the loop is closed.
  bool push_from_outside(Runnable& work) noexcept;

  /// As above; owners_mutex() held, under which the loop was seen to exist.
  bool push_from_outside_locked(Runnable& work) noexcept;

  /// Runs in: a signal handler, which keeps the loop alive. `work` needs no memory.
  void post_from_signal(Runnable& work) noexcept;

  // -- time
  Clock::time_point time() const noexcept {
    return options_.virtual_time ? virtual_now_ : Clock::now();
  }
  TimerWheel& timers() noexcept { return timers_; }
  /// As timers().add(), also while the loop does not run.
  void add_timer(Timer& timer, Clock::time_point when) {
    timers_.add(timer, when);
    if (driver_ && !running_) wake_driver();
  }
  /// `delay` from now; the clock's last moment where the sum would overflow.
  Clock::time_point deadline(Duration delay) const noexcept;

  // -- running
  /// True: an iteration would find nothing to run, unless a descriptor has become ready.
  bool idle() const noexcept;
  void run_forever();
  /// Runs until `state` is done; throws RuntimeError if it was stopped before.
  void run_until_done(FutureState& state);
  /// As stop(), and the run throws KeyboardInterrupt. Runs in: loop thread.
  void interrupt_run() noexcept { stopping_ = interrupted_ = true; }
  /// Ends run_forever() after the present iteration. Runs in: loop thread.
  void stop() noexcept { stopping_ = true; }
  void close();
  bool running() const noexcept { return running_; }
  bool closed() const noexcept override { return closed_; }
  /// Throws RuntimeError where the loop is closed.
  void check_open() const;
  /// As above, and where a loop runs in this thread.
  void check_can_run() const;
  /// The calling thread made the loop or last ran it.
  bool in_own_thread() const noexcept override;
  /// check_open(), and in debug mode throws RuntimeError where the loop runs in another thread.
  void check_usable() const {
    if (closed_ || debug_) check_usable_slowly();
  }

  // -- being run by somebody else's event loop
  /// From now on `driver` runs the loop by run_turn(), and nobody else may; null: nobody does.
  void set_driver(LoopDriver* driver) noexcept;
  /// Runs what is ready, for as long as an iteration or a little more takes.
  LoopTurn run_turn();

  // -- tasks
  std::uint32_t next_task_id() noexcept {
    if (next_task_id_ % task_ids_at_once == 0) [[unlikely]]
      take_task_ids();
    return ++next_task_id_;
  }
  /// Runs in: any thread. As above, for a task that is not made in the loop's thread.
  static std::uint32_t next_task_id_of_thread() noexcept;
  void add_task(TaskBase& task) noexcept;
  void remove_task(TaskBase& task) noexcept;
  TaskBase* first_task() const noexcept { return tasks_; }
  /// The next in the list of those that are not done; null: `task` is the last.
  static TaskBase* next_task(const TaskBase& task) noexcept;
  /// The one that runs now; null: a callback does.
  TaskBase* current_task() const noexcept;

  // -- async generators that were started and have not ended
  void add_generator(AsyncGeneratorState& generator) noexcept;
  void remove_generator(AsyncGeneratorState& generator) noexcept;
  /// Closes them, all at once; their errors are reported.
  Coroutine<void> shut_down_generators();

  /// Where jobs go that are given no executor.
  DefaultExecutor& default_executor() noexcept { return default_executor_; }

  // -- reports
  void report(std::string message, std::exception_ptr error) noexcept override;
  /// What is done with a report where there is no exception_handler.
  static void log_report(const aio::ExceptionContext& context) noexcept;
  std::function<void(aio::EventLoop&, const aio::ExceptionContext&)> exception_handler;
  std::function<void(std::uint64_t, const std::vector<std::string>&)> trace;
  bool in_debug_mode() const noexcept override { return debug_; }
  void set_debug(bool on) noexcept { debug_ = on; }
  Duration slow_callback_duration = std::chrono::milliseconds(100);

  // -- descriptors and signals
  /// Makes it if there is none yet.
  Selector& selector();
  /// Takes the selector of a loop that has none yet.
  void set_selector(std::unique_ptr<Selector> selector) noexcept;
  /// Null: nobody has needed it yet, or the loop is closed.
  Selector* selector_or_null() const noexcept { return selector_.get(); }

  // -- for its futures: see JobOwner
  bool help(FutureState&) override { return false; }
  void check_wait(const FutureState& job) const override;
  void job_cancelled(FutureState&) noexcept override {}
  bool interrupt(FutureState&) noexcept override { return true; }
  void interruption_over() noexcept override {}
  std::size_t worker_limit() const noexcept override;
  /// Runs in: loop thread. A task begins or ends to wait for work outside of every loop, so that
  /// virtual time waits for it, too.
  void expect_outside(int change) noexcept override { outside_ += change; }

 private:
  class RunScope;
  class StopWhenDone;

  static constexpr std::uint32_t task_ids_at_once = 64;

  void adopt_thread() noexcept;
  void take_task_ids() noexcept;
  static std::uint32_t take_ids() noexcept;
  void check_usable_slowly() const;
  void post_from_outside(Runnable& work) noexcept override;
  void push_while_idle(Runnable& work) noexcept;
  void wake_sleeper() noexcept;
  void wake_sleeper_if_alive() noexcept;
  void wake_driver() noexcept;
  void run_once();
  void select();
  bool has_nothing_to_do() const noexcept;
  void wait_for_event();
  void sleep_until(Deadline deadline);
  bool spin_until(Deadline deadline);
  void jump_or_wait();
  bool watches_anything();
  std::string describe_waiting_tasks() const;
  void run_ready();
  void run_timed(Runnable& work);
  void call_trace();
  void destroy_tasks() noexcept;
  void destroy_selector() noexcept;
  void forget_generators() noexcept;
  void shut_down_executor() noexcept;

  aio::EventLoop& loop_;
  const aio::LoopOptions options_;
  LoopInbox inbox_;  // any thread
  Clock::time_point virtual_now_{};
  TimerWheel timers_;
  std::uint64_t iteration_ = 0;
  int poll_credit_ = 0;  // how many handles are run before the clock and the selector are asked
  int outside_ = 0;
  std::uint32_t next_task_id_ = 0;
  bool stopping_ = false;
  bool interrupted_ = false;
  bool closed_ = false;
  bool debug_ = false;
  bool generators_shut_down_ = false;          // who starts one now is warned
  TaskBase* tasks_ = nullptr;                  // all that are not done, newest first
  AsyncGeneratorState* generators_ = nullptr;  // newest first
  std::unique_ptr<Selector> selector_;         // null until somebody needs descriptors
  DefaultExecutor default_executor_;
  LoopDriver* driver_ = nullptr;  // who runs it by turns. Others read it with owners_mutex() held

  // Written by the thread that runs the loop; read by others where debug mode looks for calls from
  // wrong threads.
  std::atomic<bool> running_{false};
  // The thread that made the loop or last ran it. Written by that thread, read by any.
  std::atomic<std::uint64_t> thread_;
};

/// What a loop is made of, for what stands beside the loop.
LoopCore& core_of(aio::EventLoop& loop) noexcept;
/// The core of the loop that runs in this thread; null: none.
inline LoopCore* running_core() noexcept { return static_cast<LoopCore*>(running_loop); }
/// As above; throws RuntimeError("no running event loop") if there is none.
LoopCore& require_running_core();

}  // namespace plait::detail
