// A program that leaves a pool in an unusual way: run as `pool_scenarios NAME` by the tests of exit
// and fork.
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <plait/futures.hpp>
#include <stdexcept>
#include <string>

#include "../gate.hpp"
#include "../tsan_suppressions.hpp"

#if defined(__SANITIZE_THREAD__)
// Children that make threads, and threads that still run at exit(), are what this program is about.
extern "C" const char* __tsan_default_options() { return "die_after_fork=0 report_thread_leaks=0"; }
#elif defined(__SANITIZE_ADDRESS__)
// In the child of a fork() the search for leaks looks for threads that do not exist there.
extern "C" const char* __asan_default_options() { return "detect_leaks=0"; }
#endif

namespace plait::test {
namespace {

// Opened when exit has begun: what passes it has run during exit. Never destroyed, as jobs outlive
// main.
Gate& exit_gate() {
  static auto* gate = new Gate;
  return *gate;
}

// To be called after the pool is made: handlers of exit run in the reverse order.
void open_gate_at_exit() {
  std::atexit([] { exit_gate().open(); });
}

void say(const char* text) {
  std::fputs(text, stdout);
  std::fflush(stdout);
}

void say_apple_during_exit() {
  exit_gate().pass();
  say("apple\n");
}

ThreadPoolExecutor& immortal_pool(std::size_t workers) {
  static auto* pool = new ThreadPoolExecutor(workers);
  return *pool;
}

// The exit status of a child that runs body; 100 plus the signal where one ended it.
template <class Body>
int status_of_child(Body body) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(20);
    std::exit(body());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
}

// 0 where the call throws RuntimeError with a word on fork.
template <class Call>
int is_refused(Call call) {
  try {
    call();
  } catch (const RuntimeError& error) {
    return std::string(error.what()).find("fork") == std::string::npos ? 2 : 0;
  }
  return 1;
}

int max_workers_on_one_cpu() {
  cpu_set_t mask;
  ::sched_getaffinity(0, sizeof mask, &mask);
  int cpu = 0;
  while (!CPU_ISSET(cpu, &mask)) ++cpu;
  CPU_ZERO(&mask);
  CPU_SET(cpu, &mask);
  ::sched_setaffinity(0, sizeof mask, &mask);
  std::printf("%zu\n", ThreadPoolExecutor().max_workers());
  return 0;
}

int fork_in_job() {
  ThreadPoolExecutor pool(1);
  const int status = pool.submit([] { return status_of_child([] { return 0; }); }).result();
  std::printf("child exited with %d\n", status);
  return 0;
}

int fork_in_job_and_submit() {
  ThreadPoolExecutor pool(2);
  auto job = pool.submit(
      [&] { return status_of_child([&] { return is_refused([&] { pool.submit([] {}); }); }); });
  std::printf("child exited with %d\n", job.result());
  std::printf("parent goes on with %d\n", pool.submit([] { return 7; }).result());
  return 0;
}

int fork_in_main() {
  ThreadPoolExecutor pool(2);
  pool.submit([] {}).result();
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(20);
    return is_refused(
        [&] { pool.submit([] {}); });  // the child leaves by way of the pool's destructor
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  std::printf("child exited with %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
  std::printf("parent goes on with %d\n", pool.submit([] { return 7; }).result());
  return 0;
}

int child_makes_a_pool_of_its_own() {
  ThreadPoolExecutor pool(1);
  const int status = pool.submit([] {
                           return status_of_child([] {
                             ThreadPoolExecutor own(1);
                             return own.submit([] { return 11; }).result();
                           });
                         })
                         .result();
  std::printf("child exited with %d\n", status);
  return 0;
}

int fork_while_jobs_wait() {
  Gate gate;
  ThreadPoolExecutor pool(1);
  Future<void> queued;
  for (int i = 0; i < 3; ++i) queued = pool.submit([&] { gate.pass(); });
  gate.wait_for_arrivals(1);
  std::printf("child exited with %d\n", status_of_child([&] {
                const int refused = is_refused([&] { queued.result(); });
                pool.shutdown();
                return refused;
              }));
  gate.open();
  pool.shutdown();
  std::printf("parent ran %d\n", gate.arrived());
  return 0;
}

int return_while_job_runs() {
  immortal_pool(1).submit(say_apple_during_exit);
  open_gate_at_exit();
  return 0;
}

int return_after_shutdown_no_wait() {
  auto& pool = immortal_pool(1);
  pool.submit(say_apple_during_exit);
  pool.shutdown({.wait = false});
  open_gate_at_exit();
  return 0;
}

int return_after_cancel_no_wait() {
  auto& pool = immortal_pool(1);
  pool.submit([] {
    say("begin ");
    exit_gate().pass();
    say("end\n");
  });
  pool.shutdown({.wait = false, .cancel_futures = true});
  open_gate_at_exit();
  return 0;
}

int static_pool_is_destroyed() {
  static ThreadPoolExecutor pool(2);
  for (int i = 0; i < 3; ++i) pool.submit(say_apple_during_exit);
  open_gate_at_exit();
  return 0;
}

int exit_with_pool_on_the_stack() {
  ThreadPoolExecutor pool(1);
  pool.submit(say_apple_during_exit);
  pool.submit(say_apple_during_exit);
  open_gate_at_exit();
  std::exit(4);
}

int exit_in_job() {
  auto& pool = immortal_pool(2);
  pool.submit(say_apple_during_exit);
  exit_gate().wait_for_arrivals(1);
  open_gate_at_exit();
  auto leaving = pool.submit([] { std::exit(3); });
  leaving.wait();
  return 1;
}

int exit_in_the_only_worker() {
  auto& pool = immortal_pool(1);
  auto leaving = pool.submit([] { std::exit(3); });
  leaving.wait();
  return 1;
}

int submit_during_exit() {
  static ThreadPoolExecutor* pool = &immortal_pool(1);
  pool->submit([] {
    exit_gate().pass();
    try {
      pool->submit([] {}).result();
      say("accepted\n");
    } catch (const RuntimeError&) {
      say("refused\n");
    }
  });
  open_gate_at_exit();
  return 0;
}

// The log handler lives in the library; a job that fails unasked during exit must still find it.
int failure_nobody_asks_for_at_exit() {
  immortal_pool(1).submit([] {
    exit_gate().pass();
    throw std::runtime_error("lost at exit");
  });
  open_gate_at_exit();
  return 0;
}

const std::map<std::string, int (*)()> scenarios{
    {"max_workers_on_one_cpu", max_workers_on_one_cpu},
    {"fork_in_job", fork_in_job},
    {"fork_in_job_and_submit", fork_in_job_and_submit},
    {"fork_in_main", fork_in_main},
    {"fork_while_jobs_wait", fork_while_jobs_wait},
    {"child_makes_a_pool_of_its_own", child_makes_a_pool_of_its_own},
    {"return_while_job_runs", return_while_job_runs},
    {"return_after_shutdown_no_wait", return_after_shutdown_no_wait},
    {"return_after_cancel_no_wait", return_after_cancel_no_wait},
    {"static_pool_is_destroyed", static_pool_is_destroyed},
    {"exit_with_pool_on_the_stack", exit_with_pool_on_the_stack},
    {"exit_in_job", exit_in_job},
    {"exit_in_the_only_worker", exit_in_the_only_worker},
    {"submit_during_exit", submit_during_exit},
    {"failure_nobody_asks_for_at_exit", failure_nobody_asks_for_at_exit},
};

}  // namespace
}  // namespace plait::test

int main(int argc, char** argv) {
  const auto found = plait::test::scenarios.find(argc > 1 ? argv[1] : "");
  if (found == plait::test::scenarios.end()) return 127;
  return found->second();
}
