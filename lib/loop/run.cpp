// How a Runner ends its loop, and what Ctrl-C does meanwhile.
#include <plait/loop/run.hpp>

#include <plait/core/cancelled_error.hpp>
#include <plait/core/errors.hpp>
#include <plait/loop/detail/end_of_state.hpp>

#include "loop/interrupt_guard.hpp"

namespace plait::aio {

Runner::Runner(LoopOptions options) : options_(options) {}

Runner::~Runner() { close(); }

EventLoop& Runner::get_loop() {
  if (closed_) throw RuntimeError("Runner is closed");
  if (!loop_) loop_ = std::make_unique<EventLoop>(options_);
  return *loop_;
}

void Runner::check_can_run(const char* function) const {
  if (closed_) throw RuntimeError("Runner is closed");
  if (detail::running_loop) {
    throw RuntimeError(std::string(function) + " cannot be called from a running event loop");
  }
}

void Runner::run_until_done(detail::TaskBase& task) {
  const detail::InterruptGuard guard(task);
  loop_->run_until_done(task.state());
  if (guard.undelivered()) throw KeyboardInterrupt();
  const bool cancelled = task.state().snapshot().phase() == detail::Phase::cancelled;
  if (guard.interrupted() && cancelled && task.cancelling() > 0) throw KeyboardInterrupt();
}

namespace {

// All tasks but the one that runs this, then what async generators are open.
Coroutine<> end_all_tasks(detail::LoopCore& core) {
  using Task = detail::StateRef<detail::FutureState>;
  std::vector<Task> tasks;
  for (auto* task = core.first_task(); task; task = detail::LoopCore::next_task(*task)) {
    if (task != core.current_task()) tasks.push_back(Task::share(task->state()));
  }
  for (const Task& task : tasks) task->cancel();
  for (const Task& task : tasks) co_await detail::EndOfState(*task);
  for (const Task& task : tasks) {
    if (task->snapshot().phase() != detail::Phase::finished || !task->error()) continue;
    core.report("unhandled exception during Runner shutdown, in " + task->describe(),
                task->retrieve_error());
  }
  co_await core.shut_down_generators();
}

void run_to_the_end(EventLoop& loop, Coroutine<> ending, const std::string& what) {
  try {
    loop.run_until_complete(std::move(ending));
  } catch (...) {
    loop.call_exception_handler(
        {"Runner::close() could not end " + what, std::current_exception()});
  }
}

// For how long it waits for the jobs of the default executor.
constexpr Duration thread_join_timeout = std::chrono::minutes(5);

}  // namespace

void Runner::close() {
  if (loop_ && loop_->is_running()) {
    throw RuntimeError("Runner.close() cannot be called from its own running event loop");
  }
  if (std::exchange(closed_, true) || !loop_) return;
  const auto loop = std::move(loop_);
  run_to_the_end(*loop, end_all_tasks(*loop->core_), "the loop's tasks");
  run_to_the_end(*loop, loop->shutdown_default_executor(thread_join_timeout),
                 "the default executor");
  loop->close();
}

}  // namespace plait::aio
