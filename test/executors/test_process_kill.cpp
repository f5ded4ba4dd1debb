// Tests of ProcessPoolExecutor: kill_task(), terminate_workers(), kill_workers() and timeouts, and
// that they meet nobody else.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <plait/executors/process_pool_executor.hpp>

#include "../support/log_capture.hpp"
#include "../support/process_probe.hpp"
#include "../support/worker_gate.hpp"

using namespace plait;
using namespace std::chrono_literals;

namespace {

constexpr auto limit = 20s;

using test::WorkerFolder;
using test::WorkerGate;

int add(int a, int b) { return a + b; }
int pid() { return ::getpid(); }
void pass(const std::string& gate) { test::pass_gate(gate); }
void spin() {
  for (;;) (void)::getppid();
}

// Its worker's tasks are known to be short from now on, so that some are sent ahead.
void warm_up(ProcessPoolExecutor& pool) {
  for (int i = 0; i < 100; ++i) pool.submit(add, i, i).result(limit);
}

// Workers wait in it while there is a gate of that name.
void start_gate() {
  const auto gate = WorkerFolder::in_worker("start");
  if (test::exists(gate)) test::pass_gate(gate);
}

// Of the first run, which also makes the next worker wait in start_gate().
void die_once(const std::string& start) {
  ::mkfifo(start.c_str(), 0600);
  std::raise(SIGKILL);
}

struct End {
  const char* name;
  void (ProcessPoolExecutor::*end)();
};
constexpr End ends[] = {{"terminate_workers", &ProcessPoolExecutor::terminate_workers},
                        {"kill_workers", &ProcessPoolExecutor::kill_workers}};

void check_ended(ProcessPoolExecutor& pool) {
  CHECK_THROWS_AS((void)pool.submit(pid), RuntimeError);
  CHECK(test::eventually([&] { return pool.worker_pids().empty(); }));
  CHECK_FALSE(test::has_children());
}

TEST_SUITE_BEGIN("executors/process_kill");

// ---------------------------------------------------------------- 21: all workers

TEST_CASE("kill_workers: of a pool that has done nothing yet") {
  for (const End& end : ends) {
    CAPTURE(end.name);
    ProcessPoolExecutor pool(2);
    (pool.*end.end)();
    check_ended(pool);
    (pool.*end.end)();
    pool.shutdown();
    (pool.*end.end)();
  }
}

TEST_CASE("kill_workers: what runs fails, what is queued is cancelled") {
  for (const End& end : ends) {
    CAPTURE(end.name);
    WorkerFolder folder;
    WorkerGate gate(folder / "gate");
    ProcessPoolExecutor pool(1);
    auto running = pool.submit(pass, gate.path());
    gate.wait_for_arrival();
    std::vector<Future<int>> queued;
    for (int i = 0; i < 10; ++i) queued.push_back(pool.submit(add, i, i));
    (pool.*end.end)();
    CHECK_THROWS_AS(running.result(limit), BrokenProcessPool);
    for (auto& future : queued) CHECK_THROWS_AS((void)future.result(limit), CancelledError);
    check_ended(pool);
  }
}

TEST_CASE("kill_workers: while workers start, and after shutdown() that does not wait") {
  for (const End& end : ends) {
    CAPTURE(end.name);
    for (const bool shut_down : {false, true}) {
      WorkerFolder folder;
      WorkerGate start(folder / "start");
      ProcessPoolExecutor pool({.max_workers = 1, .initializer = start_gate});
      auto future = pool.submit(add, 2, 3);
      start.wait_for_arrival();
      if (shut_down) pool.shutdown({.wait = false});
      (pool.*end.end)();
      CHECK_THROWS_AS((void)future.result(limit), CancelledError);
      check_ended(pool);
    }
  }
}

TEST_CASE("kill_workers: a task that waits to be repeated fails, and shutdown returns") {
  for (const End& end : ends) {
    CAPTURE(end.name);
    WorkerFolder folder;
    ProcessPoolExecutor pool({.max_workers = 1, .initializer = start_gate});
    auto future = pool.submit({.retries = 5}, die_once, folder / "start");
    CHECK(test::eventually([&] { return test::exists(folder / "start"); }));
    const int fd = ::open((folder / "start").c_str(), O_WRONLY | O_CLOEXEC);  // it has arrived
    (pool.*end.end)();
    CHECK_THROWS_AS(future.result(limit), BrokenProcessPool);
    ::close(fd);
    check_ended(pool);
  }
}

TEST_CASE("kill_workers: workers that are stopped, dead or about to be replaced") {
  for (const bool stop : {true, false}) {
    ProcessPoolExecutor pool({.max_workers = 2, .max_tasks_per_child = 2});
    auto future = pool.submit(spin);
    CHECK(test::eventually([&] { return future.running(); }));
    ::kill(pool.worker_pids().at(0), stop ? SIGSTOP : SIGKILL);
    for (int i = 0; i < 3; ++i) pool.submit(add, i, i).result(limit);
    pool.kill_workers();
    CHECK(future.exception(limit) != nullptr);
    check_ended(pool);
  }
}

TEST_CASE("kill_workers: asked for in the middle of a terminate_workers() that is ignored") {
  ProcessPoolExecutor pool(1);
  WorkerFolder folder;
  auto stubborn = pool.submit(
      [](const std::string& ready) {
        std::signal(SIGTERM, SIG_IGN);
        test::touch(ready);
        spin();
      },
      folder / "ready");
  CHECK(test::eventually([&] { return test::exists(folder / "ready"); }));
  pool.terminate_workers();
  CHECK_THROWS_AS(stubborn.result(20ms), TimeoutError);
  pool.kill_workers();
  CHECK_THROWS_AS(stubborn.result(limit), BrokenProcessPool);
  check_ended(pool);
}

// ---------------------------------------------------------------- kill_task()

TEST_CASE("kill_task: ends what runs, cancels what is queued, and refuses what is done") {
  WorkerFolder folder;
  WorkerGate gate(folder / "gate");
  ProcessPoolExecutor pool(1), other(1);
  auto running = pool.submit(pass, gate.path());
  gate.wait_for_arrival();
  auto queued = pool.submit(add, 2, 3);
  CHECK_FALSE(other.kill_task(running));
  CHECK(pool.kill_task(queued));
  CHECK(queued.cancelled());
  CHECK(pool.kill_task(running));
  CHECK_THROWS_AS(running.result(limit), WorkerDied);
  CHECK_FALSE(pool.kill_task(running));
  CHECK_FALSE(pool.kill_task(queued));
  CHECK(pool.submit(add, 2, 3).result(limit) == 5);
}

TEST_CASE("kill_task: a task that waits to be repeated does not run again") {
  WorkerFolder folder;
  ProcessPoolExecutor pool({.max_workers = 1, .initializer = start_gate});
  auto future = pool.submit(
      {.retries = 5},
      [](const std::string& start) {
        if (!test::exists(start)) die_once(start);
        test::touch(start + " ran again");
        ::pause();
      },
      folder / "start");
  CHECK(test::eventually([&] { return test::exists(folder / "start"); }));
  {
    const int fd = ::open((folder / "start").c_str(), O_WRONLY | O_CLOEXEC);  // it has arrived
    CHECK(pool.kill_task(future));
    ::close(fd);
  }
  CHECK_THROWS_AS(future.result(5s), WorkerDied);
  CHECK_FALSE(test::exists(folder / "start ran again"));
  ::unlink((folder / "start").c_str());
  CHECK(future.done());
  pool.kill_workers();
}

TEST_CASE("kill_task: those that were sent to the same worker ahead still run") {
  for (int round = 0; round < 20; ++round) {
    WorkerFolder folder;
    WorkerGate gate(folder / "gate");
    ProcessPoolExecutor pool(1);
    warm_up(pool);
    auto running = pool.submit(pass, gate.path());
    std::vector<Future<int>> others;
    for (int i = 0; i < 10; ++i) others.push_back(pool.submit(add, i, 1));
    gate.wait_for_arrival();
    CHECK(pool.kill_task(running));
    if (round % 2 == 1) gate.open();  // it ends by itself, perhaps
    for (int i = 0; i < 10; ++i) {
      CHECK(others[static_cast<std::size_t>(i)].result(limit) == i + 1);
    }
    CHECK_NOTHROW((void)running.exception(limit));
  }
}

// ---------------------------------------------------------------- 22: timeouts

// Never ends, and has a child that never ends; both refuse SIGTERM.
void spin_with_child(const std::string& file) {
  std::signal(SIGTERM, SIG_IGN);
  const pid_t child = ::fork();
  if (child == 0) {
    for (;;) ::pause();
  }
  const std::string link = std::to_string(child);
  (void)!::symlink(link.c_str(), file.c_str());
  spin();
}

TEST_CASE("timeout: the worker and all that it has started is gone, and nothing else") {
  WorkerFolder folder;
  ProcessPoolExecutor pool(1);
  warm_up(pool);
  const auto begin = Clock::now();
  auto endless = pool.submit({.timeout = 100ms}, spin_with_child, folder / "child");
  std::vector<Future<int>> others;
  for (int i = 0; i < 10; ++i) others.push_back(pool.submit(add, i, 1));
  CHECK_THROWS_AS(endless.result(limit), TimeoutError);
  CHECK(Clock::now() - begin >= 100ms);
  const auto child = std::filesystem::read_symlink(folder / "child").string();
  CHECK(test::eventually([&] { return test::is_gone(std::stoi(child)); }));
  for (int i = 0; i < 10; ++i) CHECK(others[static_cast<std::size_t>(i)].result(limit) == i + 1);
}

TEST_CASE("timeout: a stopped worker does not outlive it") {
  ProcessPoolExecutor pool(1);
  auto stopped = pool.submit({.timeout = 100ms}, [] { std::raise(SIGSTOP); });
  CHECK_THROWS_AS(stopped.result(limit), TimeoutError);
  CHECK(pool.submit(add, 2, 3).result(limit) == 5);
}

TEST_CASE("timeout: with retries it is counted anew each time") {
  WorkerFolder folder;
  ProcessPoolExecutor pool(1);
  auto future = pool.submit(
      {.timeout = 200ms, .retries = 1},
      [](const std::string& ran) {
        if (test::exists(ran)) return 7;
        test::touch(ran);
        spin();
        return 0;
      },
      folder / "ran");
  CHECK(future.result(limit) == 7);
}

TEST_CASE("timeout: the longest there is never passes") {
  ProcessPoolExecutor pool({.max_workers = 1, .idle_timeout = Duration::max()});
  CHECK(pool.submit({.timeout = Duration::max()}, add, 2, 3).result(limit) == 5);
}

TEST_SUITE_END();

}  // namespace
