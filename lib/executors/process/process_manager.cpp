// What a process pool does next: which worker gets which task, and how many workers there are.
#include "executors/process/process_manager.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <system_error>

#include <plait/executors/broken_executor.hpp>
#include <plait/executors/worker_errors.hpp>

namespace plait::detail {
namespace {

// Tasks that take longer are never sent to a worker that is busy: they would wait behind its task
// while another worker may become free.
constexpr Duration short_task = std::chrono::microseconds(200);

// How many short tasks a worker may have at most.
constexpr std::size_t longest_window = 16;

// No overflow: the longest duration means never.
Clock::time_point after(Clock::time_point time, Duration duration) {
  return duration < Clock::time_point::max() - time ? time + duration : Clock::time_point::max();
}

constexpr Duration retry_spawn_after = std::chrono::milliseconds(100);

}  // namespace

void ProcessManager::run() {
  for (;;) {
    take_requests();
    bury_dead();
    kill_overdue();  // receives, too, so that workers may be free after it
    dispatch();
    retire_idle();
    if (!ended()) {
      sleep();
    } else if (pool_.end_manager()) {
      return;
    }
  }
}

bool ProcessManager::ended() const {
  return stage_ != ProcessPool::Stage::open && workers_.empty() && queue_.size() == 0;
}

// ---------------------------------------------------------------- requests

void ProcessManager::take_requests() {
  ProcessPool::Requests requests;
  while (pool_.take(requests)) {
    for (TaskPtr& task : requests.tasks) queue_.push(std::move(task));
    for (const JobRef& job : requests.kills) kill_task(*job);
    if (stage_ != ProcessPool::Stage::broken) stage_ = requests.stage;
    if (requests.cancel || stage_ == ProcessPool::Stage::killed) cancel_queued();
    if (stage_ == ProcessPool::Stage::killed) fail_queued(ended_by_force, nullptr);
    if (stage_ == ProcessPool::Stage::killed && requests.signal != 0) end_all(requests.signal);
    requests.tasks.clear();
    requests.kills.clear();
  }
}

// What waits to be repeated was started, so it cannot be cancelled.
void ProcessManager::cancel_queued() {
  TaskQueue repeated;
  while (TaskPtr task = queue_.pop()) {
    if (!task->job->cancel()) repeated.push(std::move(task));
  }
  queue_ = std::move(repeated);
}

void ProcessManager::kill_task(FutureState& job) {
  for (const auto& worker : workers_) {
    const auto& tasks = worker->tasks();
    const auto found =
        std::ranges::find_if(tasks, [&](const TaskPtr& task) { return task->job.get() == &job; });
    if (found == tasks.end()) continue;
    (*found)->doomed = true;
    if (found != tasks.begin()) put_back(worker->take_back());
  }
  if (TaskPtr task = queue_.take(job)) {  // it waited behind another one, or to be repeated
    fail_task(*task, std::make_exception_ptr(WorkerDied(
                         job.describe() + " was ended by kill_task() before it ran again", 0,
                         SIGKILL, 0)));
  }
}

// ---------------------------------------------------------------- giving tasks

void ProcessManager::dispatch() {
  if (stage_ == ProcessPool::Stage::broken || stage_ == ProcessPool::Stage::killed) return;
  give_queued();
  if (take_back_waiting()) give_queued();
  spawn_workers();
  for (const auto& worker : workers_) worker->flush();
}

void ProcessManager::give_queued() {
  while (const Task* const next = queue_.next()) {
    WorkerLink* const worker = choose_worker(*next);
    if (!worker) break;
    TaskPtr task = queue_.pop();  // null: it was cancelled just now
    if (!task || (!task->started() && !task->job->start())) continue;
    give(*worker, std::move(task));
  }
}

// What was sent ahead to a worker whose task turns out to be long goes to one that is idle. True:
// there was something.
bool ProcessManager::take_back_waiting() {
  if (queue_.next() || !any_idle()) return false;
  bool any = false;
  for (const auto& worker : workers_) {
    if (worker->tasks().size() > 1 && Clock::now() - worker->since() >= short_task) {
      any = put_back(worker->take_back()) || any;
    }
  }
  return any;
}

bool ProcessManager::put_back(std::vector<TaskPtr> tasks) {
  for (; !tasks.empty(); tasks.pop_back()) queue_.put_back(std::move(tasks.back()));
  return queue_.next() != nullptr;
}

bool ProcessManager::any_idle() const {
  return std::ranges::any_of(
      workers_, [](const auto& worker) { return worker->idle() && !worker->maybe_dead(); });
}

// Null: all have enough to do.
WorkerLink* ProcessManager::choose_worker(const Task& task) {
  // A task with a timeout is alone with its worker, which may be killed.
  const bool may_send_ahead = workers_.size() == pool_.max_workers() && !task.timeout;
  WorkerLink* best = nullptr;
  for (const auto& worker : workers_) {
    if (worker->maybe_dead() || worker->killed_for) continue;
    if (worker->idle()) return worker.get();
    if (worker->phase() != WorkerLink::Phase::ready || !may_send_ahead) continue;
    if (worker->tasks().size() >= window(*worker)) continue;
    if (!best || worker->tasks().size() < best->tasks().size()) best = worker.get();
  }
  return best;
}

// How many tasks it may have.
std::size_t ProcessManager::window(const WorkerLink& worker) const {
  if (worker.tasks().empty()) return 1;
  if (worker.usual_time() >= short_task) return 1;
  if (Clock::now() - worker.since() >= short_task) return 1;
  if (worker.tasks().front()->timeout) return 1;
  const auto usual = std::max<Duration>(worker.usual_time(), std::chrono::microseconds(1));
  return std::min(longest_window, static_cast<std::size_t>(short_task / usual));
}

void ProcessManager::give(WorkerLink& worker, TaskPtr task) {
  worker.give(std::move(task));
  if (worker.given() == pool_.options().max_tasks_per_child) worker.retire();
}

// On demand: as many as there are tasks that nobody takes.
void ProcessManager::spawn_workers() {
  if (spawn_again_at_ && Clock::now() < *spawn_again_at_) return;
  spawn_again_at_.reset();
  if (!queue_.next()) return;
  auto starting = static_cast<std::size_t>(std::ranges::count(
      workers_, WorkerLink::Phase::starting, [](const auto& worker) { return worker->phase(); }));
  try {
    for (; starting < queue_.size() && workers_.size() < pool_.max_workers(); ++starting) spawn();
  } catch (const std::system_error& error) {
    // Those that live go on, and end sooner or later; then there may be room for another one.
    spawn_again_at_ = Clock::now() + retry_spawn_after;
    if (workers_.empty()) {
      fail_queued(std::string("a worker process could not be started: ") + error.what() +
                      ". Raise the limits on processes and descriptors, or end some.",
                  std::current_exception());
    }
  }
}

void ProcessManager::spawn() {
  WorkerSettings settings{.memory_limit = pool_.options().memory_limit,
                          .arena = pool_.arena().id()};
  if (auto* const initializer = pool_.options().initializer.function()) {
    const CodeAddress address = address_of_function(initializer);
    settings.initializer_module = address.module;
    settings.initializer_offset = address.offset;
  }
  workers_.push_back(std::make_unique<WorkerLink>(settings, pool_.arena().fd()));
  tell_pids();
}

// ---------------------------------------------------------------- ending workers

void ProcessManager::retire_idle() {
  const bool closing = stage_ == ProcessPool::Stage::closed && queue_.size() == 0;
  const auto limit = pool_.options().idle_timeout;
  const auto now = Clock::now();
  for (const auto& worker : workers_) {
    const bool unused = worker->phase() == WorkerLink::Phase::starting && closing;
    if (!worker->idle() && !unused) continue;
    if (!closing && !(limit && now - worker->since() >= *limit)) continue;
    worker->retire();
    worker->kill_at = now + grace;
  }
}

// What has sent its result in time is not killed, so that is looked for first.
void ProcessManager::kill_overdue() {
  for (const auto& worker : workers_) {
    const auto overdue = [&] {
      if (worker->tasks().empty()) return false;
      const Task& running = *worker->tasks().front();
      return running.timeout && Clock::now() - worker->since() >= *running.timeout;
    };
    const auto doomed = [&] { return !worker->tasks().empty() && worker->tasks().front()->doomed; };
    if (overdue() || doomed()) receive(*worker);
    worker->killed_for_timeout = worker->killed_for_timeout || overdue();
    const bool late = worker->kill_at && Clock::now() >= *worker->kill_at;
    if (!worker->killed_for_timeout && !doomed() && !late) continue;
    if (!worker->killed_for && !late && !worker->tasks().empty()) {
      worker->killed_for = worker->tasks().front()->job.get();
    }
    worker->kill(SIGKILL);
    worker->kill_at.reset();
    // Without a pidfd nothing tells when it has ended: looked for again and again.
    if (worker->hung_up && !worker->process().pidfd) worker->kill_at = Clock::now() + last_breath;
  }
}

// ---------------------------------------------------------------- sleeping

std::optional<Clock::time_point> ProcessManager::next_deadline() const {
  std::optional<Clock::time_point> first = spawn_again_at_;
  const auto consider = [&](Clock::time_point time) {
    first = first ? std::min(*first, time) : time;
  };
  const auto limit = pool_.options().idle_timeout;
  const bool idle = any_idle();
  for (const auto& worker : workers_) {
    if (worker->kill_at) consider(*worker->kill_at);
    if (idle && worker->tasks().size() > 1 && !worker->has_unsent()) {
      consider(worker->since() + short_task);
    }
    if (limit && worker->idle()) consider(after(worker->since(), *limit));
    if (worker->tasks().empty() || worker->killed_for_timeout) continue;
    if (const auto timeout = worker->tasks().front()->timeout) {
      consider(after(worker->since(), *timeout));
    }
  }
  return first;
}

// What comes soon is met awake: a wake-up costs more than a short task.
bool ProcessManager::spin() {
  const bool busy =
      std::ranges::any_of(workers_, [](const auto& worker) { return !worker->tasks().empty(); });
  return busy && spin_.until([this] {
    bool received = pool_.has_requests();
    for (const auto& worker : workers_) {
      if (receive(*worker)) received = true;
    }
    return received;
  });
}

void ProcessManager::sleep() {
  if (spin()) return;
  std::vector<pollfd> watched{{pool_.wake_fd(), POLLIN, 0}};
  for (const auto& worker : workers_) {
    const WorkerProcess& process = worker->process();
    const auto events = static_cast<short>(worker->has_unsent() ? POLLIN | POLLOUT : POLLIN);
    watched.push_back({worker->hung_up ? -1 : process.socket.get(), events, 0});
    watched.push_back({process.pidfd.get(), POLLIN, 0});
  }
  if (!pool_.prepare_sleep()) return;
  timespec time{};
  const auto deadline = next_deadline();
  if (deadline) {
    const auto left = std::max(Duration::zero(), *deadline - Clock::now());
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
    time.tv_sec = seconds.count();
    time.tv_nsec = std::chrono::nanoseconds(left - seconds).count();
  }
  const int ready = ::ppoll(watched.data(), watched.size(), deadline ? &time : nullptr, nullptr);
  spin_.woke();
  if (ready <= 0) return;
  if (watched[0].revents != 0) {
    std::uint64_t count = 0;
    (void)!::read(pool_.wake_fd(), &count, sizeof count);
  }
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    if (watched[1 + 2 * i].revents != 0) receive(*workers_[i]);
    workers_[i]->ended |= watched[2 + 2 * i].revents != 0;
  }
}

}  // namespace plait::detail
