// A program in which a process pool has a hard time: run as `process_surroundings NAME` by the
// tests of a pool's surroundings. Where nothing else is to be seen it says "ok".
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <plait/executors/process_pool_executor.hpp>

#include "../tsan_suppressions.hpp"

#if defined(__SANITIZE_ADDRESS__)
// In the child of a fork() the search for leaks looks for threads that do not exist there.
extern "C" const char* __asan_default_options() { return "detect_leaks=0"; }
#elif defined(__SANITIZE_THREAD__)
extern "C" const char* __tsan_default_options() { return "die_after_fork=0 report_thread_leaks=0"; }
#endif

namespace plait::test {
namespace {

using namespace std::chrono_literals;

constexpr auto limit = 10s;

int add(int a, int b) { return a + b; }
int pid() { return ::getpid(); }
void die() { std::raise(SIGKILL); }
void spin() {
  for (;;) (void)::getppid();
}

void say(const std::string& text) {
  std::fputs((text + "\n").c_str(), stdout);
  std::fflush(stdout);
}
int fail(const char* what) {
  say(what);
  return 1;
}

// What a task's worker died of; nullopt: it did not.
template <class T>
std::optional<int> signal_of_death(Future<T> future) {
  try {
    future.result(limit);
  } catch (const WorkerDied& error) {
    return error.signal();
  }
  return std::nullopt;
}

// Results are right and deaths are seen, however they are told.
int use_pool(bool signal_is_known) {
  {
    ProcessPoolExecutor pool(2);
    for (int i = 0; i < 20; ++i) {
      if (pool.submit(add, i, 1).result(limit) != i + 1) return fail("a wrong result");
      if (i % 5 != 0) continue;
      const auto signal = signal_of_death(pool.submit(die));
      if (!signal) return fail("a death was not seen");
      if (signal_is_known && *signal != SIGKILL) return fail("a wrong signal");
    }
  }
  return 0;
}

// -- SIGCHLD and children of others

void set_action(void (*handler)(int), int flags) {
  struct sigaction action{};
  action.sa_handler = handler;
  action.sa_flags = flags;
  ::sigaction(SIGCHLD, &action, nullptr);
}

int sigchld_ignored() {
  set_action(SIG_IGN, 0);
  return use_pool(false);
}

int sigchld_without_zombies() {
  set_action(SIG_DFL, SA_NOCLDWAIT);
  return use_pool(false);
}

int sigchld_handler_takes_all() {
  set_action(
      [](int) {
        const int error = errno;
        while (::waitpid(-1, nullptr, WNOHANG) > 0) {
        }
        errno = error;
      },
      0);  // without SA_RESTART: whatever waits is interrupted
  return use_pool(false);
}

// In its own thread it waits for whatever child there is.
int thread_takes_all() {
  std::thread([] {
    for (;;) {
      if (::waitpid(-1, nullptr, 0) < 0) ::sched_yield();
    }
  }).detach();
  return use_pool(false);
}

int users_child_is_the_users() {
  std::vector<pid_t> children;
  for (int i = 0; i < 5; ++i) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(40 + i);
    children.push_back(child);
  }
  if (const int wrong = use_pool(true)) return wrong;
  for (int i = 0; i < 5; ++i) {
    int status = 0;
    const pid_t child = children[static_cast<std::size_t>(i)];
    if (::waitpid(child, &status, 0) != child) return fail("the pool has taken the user's child");
    if (WEXITSTATUS(status) != 40 + i) return fail("a wrong status");
  }
  return 0;
}

int signals_all_the_time() {
  struct sigaction action{};
  action.sa_handler = [](int) {};  // without SA_RESTART
  ::sigaction(SIGALRM, &action, nullptr);
  const itimerval often{{0, 500}, {0, 500}};
  ::setitimer(ITIMER_REAL, &often, nullptr);
  const int status = use_pool(true);
  const itimerval never{};
  ::setitimer(ITIMER_REAL, &never, nullptr);
  return status;
}

// -- the end of the process that has the pool

int leave_child() {
  const pid_t child = ::fork();
  while (child == 0) ::pause();
  return child;
}

// Runs in: a child. Its pool was made by a thread that has ended; tells who its workers are.
[[noreturn]] void spin_until_killed(int out) {
  std::unique_ptr<ProcessPoolExecutor> pool;
  std::thread([&] {
    pool = std::make_unique<ProcessPoolExecutor>(2);
    for (int i = 0; i < 2; ++i) {
      (void)pool->submit(leave_child).result();
      auto spins = pool->submit(spin);
      while (!spins.running()) ::sched_yield();
    }
  }).join();
  const auto workers = pool->worker_pids();
  (void)!::write(out, workers.data(), workers.size() * sizeof(int));
  for (;;) ::pause();
}

// Workers get a new parent, which is this process: it sees what they die of.
int parent_is_killed() {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  std::array<int, 2> ends{}, workers{};
  if (::pipe(ends.data()) != 0) return fail("no pipe");
  const pid_t child = ::fork();
  if (child == 0) spin_until_killed(ends[1]);
  if (::read(ends[0], workers.data(), sizeof workers) != sizeof workers) return fail("no workers");
  ::kill(child, SIGKILL);
  // The child, its workers, and what these have started.
  for (int ended = 0; ended < 5; ++ended) {
    int status = 0;
    if (::wait(&status) < 0) return fail("a process is missing");
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) return fail("not by SIGKILL");
  }
  return 0;
}

int thread_that_made_it_ends() {
  std::unique_ptr<ProcessPoolExecutor> pool;
  int worker = 0;
  std::thread([&] {
    pool = std::make_unique<ProcessPoolExecutor>(1);
    worker = pool->submit(pid).result(limit);
  }).join();
  for (int i = 0; i < 10; ++i) {
    if (pool->submit(pid).result(limit) != worker) return fail("another worker");
  }
  return 0;
}

// -- limits

// From now on the system call of that number only gives `error`.
void refuse_call(unsigned number, unsigned error) {
  std::array<sock_filter, 4> program{{
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, 0},  // the number lies at the beginning
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, number},
      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | error},
      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
  }};
  const sock_fprog filter{program.size(), program.data()};
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) say("no seccomp");
}

// As under an old container runtime. Only the end of its stream tells of a worker's death.
int pidfd_is_refused() {
  refuse_call(SYS_pidfd_open, EPERM);
  if (const int wrong = use_pool(true)) return wrong;
  ProcessPoolExecutor pool(1);
  const auto closes_its_socket = [] {
    ::shutdown(3, SHUT_WR);
    spin();
  };
  if (signal_of_death(pool.submit(closes_its_socket)) != SIGKILL) return fail("it lives");
  auto endless = pool.submit(spin);
  while (!endless.running()) ::sched_yield();
  pool.kill_task(endless);
  if (signal_of_death(endless) != SIGKILL) return fail("it was not killed");
  return pool.submit(add, 2, 3).result(limit) == 5 ? 0 : fail("no result");
}

// Root may have as many processes as it likes.
int processes_are_limited() {
  if (::getuid() == 0 && ::setuid(61'234) != 0) return 0;
  ProcessPoolExecutor pool(1);
  const int worker = pool.submit(pid).result(limit);
  rlimit before{};
  ::getrlimit(RLIMIT_NPROC, &before);
  const rlimit none{0, before.rlim_max};
  ::setrlimit(RLIMIT_NPROC, &none);
  ::kill(worker, SIGKILL);
  while (!pool.worker_pids().empty()) ::sched_yield();
  try {
    pool.submit(pid).result(limit);
    return fail("there was a worker");
  } catch (const BrokenProcessPool& error) {
    const std::string text = error.what();
    if (text.find("could not be started") == std::string::npos) return fail(text.c_str());
  }
  ::setrlimit(RLIMIT_NPROC, &before);
  return pool.submit(add, 2, 3).result(limit) == 5 ? 0 : fail("no result");
}

// -- output and exit()

// What a worker says comes once, before its result.
int output_comes_before_the_result() {
  ProcessPoolExecutor pool(1);
  std::fputs("before ", stdout);  // in this process's own buffer when the worker starts
  const int worker = pool.submit([] {
                           std::fputs("apple ", stdout);
                           std::cout << "pear ";
                           return ::getpid();
                         })
                         .result(limit);
  ::kill(worker, SIGKILL);
  while (!pool.worker_pids().empty()) ::sched_yield();
  std::fputs("after ", stdout);
  return 0;
}

// When it runs, after the start of its worker, main is over.
void say_apple() { say("apple"); }

int main_returns_after_shutdown_without_waiting() {
  static auto& pool = *new ProcessPoolExecutor(1);
  for (int i = 0; i < 2; ++i) (void)pool.submit(say_apple);
  pool.shutdown({.wait = false});
  return 0;
}

int main_returns_with_work_queued() {
  static ProcessPoolExecutor pool(1);
  for (int i = 0; i < 2; ++i) (void)pool.submit(say_apple);
  return 0;
}

int exit_in_callback() {
  ProcessPoolExecutor pool(1);
  auto future = pool.submit(add, 2, 3);
  future.add_done_callback([](auto&&) { std::exit(0); });
  pool.shutdown();
  for (;;) ::pause();
}

int _exit_with_work_queued() {
  ProcessPoolExecutor pool(2);
  for (int i = 0; i < 10; ++i) (void)pool.submit(spin);
  say("ok");
  ::_exit(0);
}

const std::map<std::string, int (*)()> scenarios = {
    {"sigchld_ignored", sigchld_ignored},
    {"sigchld_without_zombies", sigchld_without_zombies},
    {"sigchld_handler_takes_all", sigchld_handler_takes_all},
    {"thread_takes_all", thread_takes_all},
    {"users_child_is_the_users", users_child_is_the_users},
    {"signals_all_the_time", signals_all_the_time},
    {"parent_is_killed", parent_is_killed},
    {"thread_that_made_it_ends", thread_that_made_it_ends},
    {"pidfd_is_refused", pidfd_is_refused},
    {"processes_are_limited", processes_are_limited},
    {"output_comes_before_the_result", output_comes_before_the_result},
    {"main_returns_after_shutdown_without_waiting", main_returns_after_shutdown_without_waiting},
    {"main_returns_with_work_queued", main_returns_with_work_queued},
    {"exit_in_callback", exit_in_callback},
    {"_exit_with_work_queued", _exit_with_work_queued},
};

}  // namespace
}  // namespace plait::test

int main(int argc, char** argv) {
  const auto found =
      argc == 2 ? plait::test::scenarios.find(argv[1]) : plait::test::scenarios.end();
  if (found == plait::test::scenarios.end()) return 99;
  return found->second();
}
