// The thread of a process pool that decides what becomes of tasks and workers.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/adaptive_spin.hpp"
#include "executors/process/process_pool.hpp"
#include "executors/process/task_queue.hpp"
#include "executors/process/worker_link.hpp"

namespace plait::detail {

/// How long a worker that was asked to end may take.
inline constexpr Duration grace = std::chrono::seconds(10);
/// How long a process may live whose stream has ended.
inline constexpr Duration last_breath = std::chrono::milliseconds(100);
inline constexpr char ended_by_force[] =
    "the pool's workers were ended by terminate_workers() or kill_workers()";

/// Runs in a thread of its own, which alone uses it. Sleeps in poll() for sockets, deaths, requests
/// and times; nothing that it does blocks, but what done-callbacks do.
class ProcessManager {
 public:
  explicit ProcessManager(ProcessPool& pool) : pool_(pool) {}

  /// Until the pool was shut down and all workers have ended.
  void run();
  /// Fails all that is left, and ends all workers. Needs no memory.
  void give_up(const std::exception_ptr& cause) noexcept;

 private:
  using Workers = std::vector<std::unique_ptr<WorkerLink>>;

  // -- process_manager.cpp: what is to be done next
  void take_requests();
  void cancel_queued();
  void kill_task(FutureState& job);
  void dispatch();
  void give_queued();
  bool take_back_waiting();
  bool put_back(std::vector<TaskPtr> tasks);
  bool any_idle() const;
  WorkerLink* choose_worker(const Task& task);
  std::size_t window(const WorkerLink& worker) const;
  void give(WorkerLink& worker, TaskPtr task);
  void spawn_workers();
  void spawn();
  void retire_idle();
  void kill_overdue();
  bool ended() const;
  std::optional<Clock::time_point> next_deadline() const;
  bool spin();
  void sleep();

  // -- process_deaths.cpp: what comes from the workers, and their deaths
  bool receive(WorkerLink& worker);
  void handle(WorkerLink& worker, FrameKind kind, std::string_view content);
  void bury_dead();
  void bury(std::unique_ptr<WorkerLink> worker, const ProcessEnd& end);
  void lose(TaskPtr task, const WorkerLink& worker, const ProcessEnd& end);
  void idle_died(const WorkerLink& worker, const ProcessEnd& end);
  std::size_t most_deaths() const;
  void died_at_start(const WorkerLink& worker, const ProcessEnd& end);
  void break_down(const std::string& reason, const std::exception_ptr& cause);
  void fail_queued(const std::string& reason, const std::exception_ptr& cause);
  void end_all(int signal);
  void tell_pids();

  ProcessPool& pool_;
  ProcessPool::Stage stage_ = ProcessPool::Stage::open;
  TaskQueue queue_;
  Workers workers_;
  std::size_t deaths_in_a_row_ = 0;                  // without a task that has ended in between
  std::optional<Clock::time_point> spawn_again_at_;  // after a failure
  std::string broken_reason_;
  AdaptiveSpin spin_;
};

}  // namespace plait::detail
