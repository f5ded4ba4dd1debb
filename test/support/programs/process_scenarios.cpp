// A program that leaves a process pool in an unusual way: run as `process_scenarios NAME` by the
// tests of exit.
#include <cstdio>
#include <cstdlib>
#include <map>
#include <plait/futures.hpp>
#include <string>

#include "../process_gate.hpp"
#include "../tsan_suppressions.hpp"

namespace plait::test {
namespace {

// Jobs that wait at it run on only after exit has begun. Its folder is removed when the pools have
// ended, by a handler of exit that was registered before theirs.
ProcessGate* exit_gate = nullptr;

void make_exit_gate() {
  exit_gate = new ProcessGate;
  std::atexit([] { delete exit_gate; });
}

// To be called after the pool is made: handlers of exit run in the reverse order.
void open_gate_at_exit() {
  std::atexit([] { exit_gate->let_through(10); });
}

void say_apple(const std::string& gate) {
  wait_at(gate);
  std::puts("apple");
}

void say_begin_and_end(const std::string& gate) {
  std::fputs("begin ", stdout);
  wait_at(gate);
  std::puts("end");
}

ProcessPoolExecutor& immortal_pool(std::size_t workers) {
  static auto* pool = new ProcessPoolExecutor(workers);
  return *pool;
}

int return_while_job_runs() {
  immortal_pool(1).submit(say_apple, exit_gate->folder());
  open_gate_at_exit();
  return 0;
}

int return_while_jobs_are_queued() {
  for (int i = 0; i < 3; ++i) immortal_pool(1).submit(say_apple, exit_gate->folder());
  open_gate_at_exit();
  return 0;
}

int return_after_shutdown_no_wait() {
  immortal_pool(1).submit(say_apple, exit_gate->folder());
  immortal_pool(1).shutdown({.wait = false});
  open_gate_at_exit();
  return 0;
}

int return_after_cancel_no_wait() {
  immortal_pool(1).submit(say_begin_and_end, exit_gate->folder());
  immortal_pool(1).shutdown({.wait = false, .cancel_futures = true});
  open_gate_at_exit();
  return 0;
}

int static_pool_is_destroyed() {
  static ProcessPoolExecutor pool(2);
  for (int i = 0; i < 3; ++i) pool.submit(say_apple, exit_gate->folder());
  open_gate_at_exit();
  return 0;
}

int exit_with_pool_on_the_stack() {
  ProcessPoolExecutor pool(1);
  pool.submit(say_apple, exit_gate->folder());
  open_gate_at_exit();
  std::exit(4);
}

// What is asked of an immortal pool is done before main() returns.
int return_with_idle_workers() {
  std::printf("%d\n", immortal_pool(2).submit([] { return 7; }).result());
  return 0;
}

// The end of a worker is not the end of the program.
int exit_in_job() {
  ProcessPoolExecutor pool(1);
  try {
    pool.submit([] { std::exit(3); }).result();
  } catch (const WorkerDied& death) {
    std::printf("status %d\n", death.exit_status());
  }
  return 0;
}

const std::map<std::string, int (*)()> scenarios{
    {"return_while_job_runs", return_while_job_runs},
    {"return_while_jobs_are_queued", return_while_jobs_are_queued},
    {"return_after_shutdown_no_wait", return_after_shutdown_no_wait},
    {"return_after_cancel_no_wait", return_after_cancel_no_wait},
    {"static_pool_is_destroyed", static_pool_is_destroyed},
    {"exit_with_pool_on_the_stack", exit_with_pool_on_the_stack},
    {"return_with_idle_workers", return_with_idle_workers},
    {"exit_in_job", exit_in_job},
};

}  // namespace
}  // namespace plait::test

int main(int argc, char** argv) {
  const auto found = plait::test::scenarios.find(argc > 1 ? argv[1] : "");
  if (found == plait::test::scenarios.end()) return 127;
  plait::test::make_exit_gate();
  return found->second();
}
