// What comes from the workers of a process pool, and what becomes of tasks whose worker dies.
#include <algorithm>
#include <csignal>
#include <cstring>
#include <utility>

#include <plait/core/log.hpp>
#include <plait/executors/broken_executor.hpp>
#include <plait/executors/detail/remote_error.hpp>

#include "core/describe_exception.hpp"
#include "executors/process/process_manager.hpp"

namespace plait::detail {
namespace {

// So many deaths one after the other, and nothing else, are no accident.
constexpr std::size_t least_deaths = 5;

std::string describe_end(const ProcessEnd& end) {
  if (!end.known)
    return "ended, how is not known (SIGCHLD is ignored, or others wait for children)";
  if (end.signal != 0) {
    const char* const name = ::sigabbrev_np(end.signal);
    std::string text = std::string("was killed by SIG") + (name ? name : "?") + " (" +
                       ::sigdescr_np(end.signal) + ")";
    return end.core ? text + ", core dumped" : text;
  }
  return "exited with status " + std::to_string(end.exit_status);
}

std::exception_ptr worker_died(const std::string& text, const WorkerLink& worker,
                               const ProcessEnd& end) {
  return std::make_exception_ptr(
      WorkerDied(text, worker.process().pid, end.signal, end.exit_status));
}

// Each future gets an object of its own.
std::exception_ptr broken(const std::string& reason, const std::exception_ptr& cause) {
  return make_error(BrokenProcessPool(reason), cause);
}

}  // namespace

// ---------------------------------------------------------------- what they send

// False: nothing has come.
bool ProcessManager::receive(WorkerLink& worker) {
  if (worker.hung_up) return false;
  const auto received = worker.receive(
      [&](FrameKind kind, std::string_view content) { handle(worker, kind, content); });
  worker.hung_up = received == WorkerLink::Received::end;
  if (worker.hung_up) worker.kill_at = Clock::now() + last_breath;
  return received != WorkerLink::Received::nothing;
}

void ProcessManager::handle(WorkerLink& worker, FrameKind kind, std::string_view content) {
  BufferedBytes bytes(content);
  if (kind == FrameKind::hello) {
    if (worker.phase() == WorkerLink::Phase::starting) worker.become_ready();
    return;
  }
  if (worker.given() == 0) {  // the initializer has failed
    const auto error = decode_error(bytes);
    return break_down(
        "a worker's initializer failed, the pool is broken: " + describe_exception(error), error);
  }
  // It answers what it was not asked, or has not heard to the end: it does not know what it says.
  const std::size_t asked = worker.tasks().size();
  if (asked == 0 || (asked == 1 && worker.has_unsent())) return worker.kill(SIGKILL);
  const TaskPtr task = worker.take_first();
  deaths_in_a_row_ = 0;
  if (worker.phase() == WorkerLink::Phase::retiring && worker.tasks().empty()) {
    worker.kill_at = Clock::now() + grace;
  }
  if (const auto error = worker.take_bulk_error()) {
    fail_task(*task, error);
  } else if (kind == FrameKind::error) {
    fail_task(*task, decode_error(bytes));
  } else {
    finish_task(*task, kind == FrameKind::result ? &bytes : nullptr);
  }
}

// ---------------------------------------------------------------- their deaths

void ProcessManager::bury_dead() {
  for (std::size_t i = 0; i < workers_.size();) {
    ProcessEnd end;
    if (!workers_[i]->maybe_dead() || !workers_[i]->reap(end)) {
      ++i;
      continue;
    }
    receive(*workers_[i]);  // the last results may still be there
    auto dead = std::move(workers_[i]);
    workers_.erase(workers_.begin() + static_cast<std::ptrdiff_t>(i));
    tell_pids();
    bury(std::move(dead), end);
  }
}

// Its first task has died with it; the others were not begun.
void ProcessManager::bury(std::unique_ptr<WorkerLink> worker, const ProcessEnd& end) {
  using Stage = ProcessPool::Stage;
  if (stage_ == Stage::killed || stage_ == Stage::broken) {
    const std::string reason = stage_ == Stage::broken ? broken_reason_ : ended_by_force;
    while (!worker->tasks().empty()) fail_task(*worker->take_first(), broken(reason, nullptr));
    return;
  }
  if (worker->phase() == WorkerLink::Phase::starting) return died_at_start(*worker, end);
  if (worker->tasks().empty()) return idle_died(*worker, end);
  const bool begun = worker->has_begun();
  TaskPtr lost = worker->take_first();
  std::vector<TaskPtr> others;
  while (!worker->tasks().empty()) others.push_back(worker->take_first());
  put_back(std::move(others));
  // A result may have come while the signal was on its way, which so met the next task.
  const bool meant = worker->killed_for != nullptr;
  const bool innocent = meant && worker->killed_for != lost->job.get();
  if ((begun && !innocent) || lost->doomed || (!meant && ++deaths_in_a_row_ >= most_deaths())) {
    lose(std::move(lost), *worker, end);
  } else {
    queue_.put_back(std::move(lost));
  }
}

void ProcessManager::lose(TaskPtr task, const WorkerLink& worker, const ProcessEnd& end) {
  const std::string text = "the worker process " + std::to_string(worker.process().pid) +
                           ", which ran " + task->job->describe() + ", " + describe_end(end);
  const bool meant = worker.killed_for_timeout || task->doomed;
  if (!meant && task->retries == 0) ++deaths_in_a_row_;
  if (!meant && pool_.options().on_worker_death == OnWorkerDeath::break_pool) {
    queue_.put_back(std::move(task));
    return break_down(text, worker_died(text, worker, end));
  }
  if (deaths_in_a_row_ >= most_deaths()) {
    queue_.put_back(std::move(task));
    return break_down(std::to_string(deaths_in_a_row_) +
                          " workers died one after the other without a result in between; the "
                          "last one: " +
                          text,
                      worker_died(text, worker, end));
  }
  if (!task->doomed && task->retries > 0) {
    --task->retries;
    return queue_.put_back(std::move(task));
  }
  if (worker.killed_for_timeout && !task->doomed) {
    return fail_task(
        *task, std::make_exception_ptr(TimeoutError(
                   task->job->describe() + " took longer than its timeout, so its worker process " +
                   std::to_string(worker.process().pid) + " was killed")));
  }
  fail_task(*task, worker_died(text, worker, end));
}

// Nothing was lost, but Python's pools break with it.
void ProcessManager::idle_died(const WorkerLink& worker, const ProcessEnd& end) {
  if (worker.phase() == WorkerLink::Phase::retiring) return;
  if (pool_.options().on_worker_death == OnWorkerDeath::fail_task) return;
  const std::string text = "the worker process " + std::to_string(worker.process().pid) +
                           ", which had nothing to do, " + describe_end(end);
  break_down(text, worker_died(text, worker, end));
}

// It may have met something that passes, as a shortage of memory.
void ProcessManager::died_at_start(const WorkerLink& worker, const ProcessEnd& end) {
  const bool fatal = pool_.options().on_worker_death == OnWorkerDeath::break_pool;
  if (++deaths_in_a_row_ < most_deaths() && !fatal) return;
  const std::string text = "a worker process, " + std::to_string(worker.process().pid) + ", " +
                           describe_end(end) + " before it was ready, so the pool is broken";
  break_down(text, worker_died(text, worker, end));
}

std::size_t ProcessManager::most_deaths() const {
  return std::max(least_deaths, 3 * pool_.max_workers());
}

// ---------------------------------------------------------------- the end of the pool

void ProcessManager::break_down(const std::string& reason, const std::exception_ptr& cause) {
  if (stage_ == ProcessPool::Stage::broken) return;
  log(LogLevel::error, reason);
  stage_ = ProcessPool::Stage::broken;
  broken_reason_ = reason;
  pool_.break_down(reason);
  take_requests();
  fail_queued(reason, cause);
  end_all(SIGKILL);
}

void ProcessManager::fail_queued(const std::string& reason, const std::exception_ptr& cause) {
  while (TaskPtr task = queue_.pop()) fail_task(*task, broken(reason, cause));
}

// What runs fails when its worker is buried.
void ProcessManager::end_all(int signal) {
  for (const auto& worker : workers_) {
    worker->kill(signal);
    worker->kill_at = Clock::now() + std::chrono::seconds(10);
  }
}

void ProcessManager::tell_pids() {
  std::vector<int> pids;
  pids.reserve(workers_.size());
  for (const auto& worker : workers_) pids.push_back(worker->process().pid);
  pool_.set_worker_pids(std::move(pids));
}

// The reason is told as far as there is memory for it; what was not told it fails by itself.
void ProcessManager::give_up(const std::exception_ptr& cause) noexcept {
  try {
    const std::string reason = "the pool's own thread failed: " + describe_exception(cause);
    break_down(reason, nullptr);
    for (const auto& worker : workers_) {
      while (!worker->tasks().empty()) fail_task(*worker->take_first(), broken(reason, nullptr));
    }
  } catch (...) {
    log(LogLevel::error, "a process pool's own thread failed, and there was no memory to say why");
  }
  pool_.drop_requests();
  queue_.clear();
  workers_.clear();
  pool_.set_worker_pids({});
  while (!pool_.end_manager()) pool_.drop_requests();
}

}  // namespace plait::detail
