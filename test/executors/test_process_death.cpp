// Tests of ProcessPoolExecutor: workers that die, do not start, are killed or take too long.
#include <doctest/doctest.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
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
void throw_one() { throw 1; }
void die() { std::raise(SIGKILL); }
// Not as a sanitizer has it, which exits.
void segfault() {
  std::signal(SIGSEGV, SIG_DFL);
  std::raise(SIGSEGV);
}
void pass(const std::string& gate) { test::pass_gate(gate); }

// What became of the worker of a task that did not end.
template <class T>
WorkerDied death_of(Future<T>& future) {
  try {
    future.result(limit);
  } catch (const WorkerDied& error) {
    return error;
  }
  throw std::logic_error("the worker did not die");
}

// Where the exception of a failed future lies.
template <class E, class T>
const void* error_object(const Future<T>& future) {
  try {
    std::rethrow_exception(future.exception(limit));
  } catch (const E& error) {
    return &error;
  } catch (...) {
    return nullptr;
  }
}

TEST_SUITE_BEGIN("executors/process_death");

// ---------------------------------------------------------------- 7, 8: a worker dies

TEST_CASE("death: a busy worker that is killed fails its task, and all others complete") {
  WorkerFolder folder;
  WorkerGate gate(folder / "gate");
  ProcessPoolExecutor pool(1);
  auto blocked = pool.submit(pass, gate.path());
  gate.wait_for_arrival();
  std::vector<Future<int>> others;
  for (int i = 0; i < 20; ++i) others.push_back(pool.submit(add, i, 1));
  const int worker = pool.worker_pids().at(0);
  ::kill(worker, SIGKILL);
  const auto death = death_of(blocked);
  CHECK(death.signal() == SIGKILL);
  CHECK(death.pid() == worker);
  for (int i = 0; i < 20; ++i) CHECK(others[static_cast<std::size_t>(i)].result(limit) == i + 1);
  CHECK(pool.submit(pid).result(limit) != worker);
}

TEST_CASE("death: with break_pool everything fails, each future with an exception of its own") {
  WorkerFolder folder;
  WorkerGate first(folder / "first"), second(folder / "second");
  const test::LogCapture quiet;
  ProcessPoolExecutor pool({.max_workers = 2, .on_worker_death = OnWorkerDeath::break_pool});
  std::vector<Future<void>> futures;
  futures.push_back(pool.submit(pass, first.path()));
  first.wait_for_arrival();
  const int worker = pool.worker_pids().at(0);
  futures.push_back(pool.submit(pass, second.path()));
  second.wait_for_arrival();
  for (int i = 0; i < 5; ++i) futures.push_back(pool.submit([] {}));
  ::kill(worker, SIGKILL);
  std::set<const void*> errors;
  for (const auto& future : futures) errors.insert(error_object<BrokenProcessPool>(future));
  CHECK(errors.size() == futures.size());
  CHECK(errors.count(nullptr) == 0);
  CHECK_THROWS_AS((void)pool.submit(pid), BrokenProcessPool);
  pool.shutdown();
}

TEST_CASE("death: an idle worker that is killed costs no task") {
  ProcessPoolExecutor pool(1);
  for (int i = 0; i < 5; ++i) {
    const int worker = pool.submit(pid).result(limit);
    ::kill(worker, SIGKILL);
    CHECK(test::eventually([&] { return pool.worker_pids().empty(); }));
    CHECK(pool.submit(pid).result(limit) != worker);
  }
}

TEST_CASE("death: with break_pool the death of an idle worker breaks the pool, too") {
  const test::LogCapture quiet;
  ProcessPoolExecutor pool({.max_workers = 1, .on_worker_death = OnWorkerDeath::break_pool});
  ::kill(pool.submit(pid).result(limit), SIGKILL);
  CHECK(test::eventually([&] { return pool.worker_pids().empty(); }));
  CHECK_THROWS_AS(pool.submit([] {}).result(limit), BrokenProcessPool);
}

TEST_CASE("death: whichever way a task ends its worker, the error says how") {
  struct Way {
    const char* name;
    void (*end)();
    int signal, exit_status;
  };
  const Way ways[] = {
      {"segmentation fault", segfault, SIGSEGV, 0},
      {"abort", [] { std::abort(); }, SIGABRT, 0},
      {"terminate", [] { std::terminate(); }, SIGABRT, 0},
      {"throw from noexcept", []() noexcept { throw_one(); }, SIGABRT, 0},
      {"_exit(0)", [] { ::_exit(0); }, 0, 0},
      {"exit(99)", [] { std::exit(99); }, 0, 99},
      {"pthread_exit", [] { ::pthread_exit(nullptr); }, 0, 0},
  };
  ProcessPoolExecutor pool(1);
  for (const Way& way : ways) {
    CAPTURE(way.name);
    auto future = pool.submit(way.end);
    const auto death = death_of(future);
    CHECK(death.signal() == way.signal);
    CHECK(death.exit_status() == way.exit_status);
    CHECK(pool.submit(add, 2, 3).result(limit) == 5);
  }
}

TEST_CASE("retries: a task runs again until it is done or has used them up") {
  WorkerFolder folder;
  const auto count_and_die = [](const std::string& path, std::size_t deaths) {
    std::ofstream(path, std::ios::app) << "x" << std::flush;
    std::ifstream file(path);
    std::string runs;
    file >> runs;
    if (runs.size() <= deaths) std::raise(SIGKILL);
    return runs.size();
  };
  ProcessPoolExecutor pool(1);
  CHECK(pool.submit({.retries = 3}, count_and_die, folder / "a", 3UL).result(limit) == 4);
  auto failed = pool.submit({.retries = 2}, count_and_die, folder / "b", 9UL);
  CHECK(death_of(failed).signal() == SIGKILL);
  CHECK(pool.submit(count_and_die, folder / "b", 3UL).result(limit) == 4);
}

TEST_CASE("retries: a task that kills every worker fails alone, and the pool goes on") {
  const test::LogCapture quiet;
  ProcessPoolExecutor pool(1);
  auto poison = pool.submit({.retries = 8}, die);
  CHECK_THROWS_AS(poison.result(limit), WorkerDied);
  CHECK(error_object<WorkerDied>(poison));
  CHECK_NOTHROW((void)pool.submit(add, 2, 3).result(limit));
}

// Its connection ends after the task, when the gate opens; the process lives on.
void close_later(const std::string& gate, const std::string& closed) {
  std::thread([gate, closed] {
    test::pass_gate(gate);
    ::shutdown(3, SHUT_WR);
    test::pass_gate(closed);
    ::pause();
  }).detach();
}

TEST_CASE("death: a worker that has closed its socket gets no more tasks") {
  WorkerFolder folder;
  WorkerGate gate(folder / "gate"), closed(folder / "closed");
  WorkerGate first(folder / "first"), second(folder / "second");
  ProcessPoolExecutor pool(2);
  auto busy = pool.submit(pass, first.path());
  first.wait_for_arrival();
  pool.submit(close_later, gate.path(), closed.path()).result(limit);
  gate.wait_for_arrival();
  gate.open();
  closed.wait_for_arrival();
  first.open();
  busy.result(limit);  // the pool has looked at all connections since
  auto still_busy = pool.submit(pass, second.path());
  second.wait_for_arrival();
  CHECK_NOTHROW((void)pool.submit(add, 2, 3).result(limit));
  second.open();
  CHECK_NOTHROW(still_busy.result(limit));
}

TEST_CASE("death: a worker that closes its socket in a task is a dead worker") {
  ProcessPoolExecutor pool(1);
  auto future = pool.submit([] {
    ::close(3);
    for (;;) ::pause();
  });
  CHECK(death_of(future).signal() == SIGKILL);
  CHECK(pool.submit(add, 2, 3).result(limit) == 5);
}

// ---------------------------------------------------------------- 16: the initializer

TEST_CASE("initializer: if it fails the pool breaks with that reason, and no task is lost") {
  struct Failure {
    detail::WorkerInitializer initializer;
    const char* text;
  };
  const Failure failures[] = {
      {[] { throw std::domain_error("no licence"); }, "no licence"},
      {segfault, "SIGSEGV"},
      {[] { ::_exit(7); }, "7"},
  };
  for (const Failure& failure : failures) {
    CAPTURE(failure.text);
    const test::LogCapture log;
    ProcessPoolExecutor pool({.max_workers = 2, .initializer = failure.initializer});
    std::vector<Future<int>> futures;
    try {
      for (int i = 0; i < 10; ++i) futures.push_back(pool.submit(add, i, i));
    } catch (const BrokenProcessPool&) {  // it was faster
    }
    for (auto& future : futures) {
      const auto text = test::text_of<BrokenProcessPool>([&] { future.result(limit); });
      CHECK(test::holds(text, failure.text));
    }
    CHECK_THROWS_AS((void)pool.submit(pid), BrokenProcessPool);
    CHECK(test::eventually([&] { return pool.worker_pids().empty(); }));
  }
}

// It may hang where a test wants it.
void hang_if_told() {
  const auto gate = WorkerFolder::in_worker("start");
  if (test::exists(gate)) test::pass_gate(gate);
}

TEST_CASE("death: one that dies before it was ready is replaced") {
  WorkerFolder folder;
  const test::LogCapture quiet;
  ProcessPoolExecutor pool({.max_workers = 1, .initializer = hang_if_told});
  Future<int> future;
  {
    WorkerGate start(folder / "start");
    future = pool.submit(add, 2, 3);
    start.wait_for_arrival();
    ::unlink(start.path().c_str());
    ::kill(pool.worker_pids().at(0), SIGKILL);
    CHECK_NOTHROW((void)future.result(limit));
  }
}

// ---------------------------------------------------------------- 19: max_tasks_per_child

TEST_CASE("max_tasks_per_child: all tasks are done, and no worker does more") {
  struct Row {
    std::size_t workers, tasks_each;
    int tasks;
    bool shut_down_early;
  };
  const Row rows[] = {{1, 2, 6, false}, {2, 2, 8, false}, {3, 1, 6, true}, {1, 1, 4, true}};
  for (const Row& row : rows) {
    CAPTURE(row.workers);
    std::vector<Future<int>> futures;
    {
      ProcessPoolExecutor pool({.max_workers = row.workers, .max_tasks_per_child = row.tasks_each});
      for (int i = 0; i < row.tasks; ++i) futures.push_back(pool.submit(pid));
      auto failed = pool.submit([]() -> int { throw std::domain_error("one throws"); });
      if (row.shut_down_early) pool.shutdown({.wait = false});
      CHECK_THROWS_AS((void)failed.result(limit), std::domain_error);
    }
    std::map<int, std::size_t> tasks_of;
    for (auto& future : futures) ++tasks_of[future.result()];
    for (const auto& [worker, tasks] : tasks_of) CHECK(tasks <= row.tasks_each);
  }
}

// The case takes as long as a worker may take to end.
TEST_CASE("max_tasks_per_child: a worker that does not end is killed, and the next one works") {
  ProcessPoolExecutor pool({.max_workers = 1, .max_tasks_per_child = 1});
  pool.submit([] {
        std::atexit([] {
          for (;;) ::pause();
        });
      })
      .result(limit);
  CHECK_NOTHROW((void)pool.submit(add, 2, 3).result(15s));
  pool.kill_workers();
}

// ---------------------------------------------------------------- 20: no worker can be started

// Lowers how many descriptors there may be, for as long as it lives.
class DescriptorLimit {
 public:
  explicit DescriptorLimit(rlim_t most) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit lower{most, before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &lower);
  }
  ~DescriptorLimit() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  DescriptorLimit(const DescriptorLimit&) = delete;
  DescriptorLimit& operator=(const DescriptorLimit&) = delete;

 private:
  rlimit before_{};
};

TEST_CASE("spawn: without descriptors tasks fail with the reason, and later ones run") {
  const auto descriptors = test::descriptor_count();
  int failures = 0;
  for (rlim_t most = 4; most < 20; ++most) {
    CAPTURE(most);
    {
      ProcessPoolExecutor pool(1);
      std::string text;
      {
        const DescriptorLimit lowered(most);
        text = test::text_of<BrokenProcessPool>([&] { pool.submit(add, 2, 3).result(limit); });
      }
      failures += !text.empty();
      CHECK((text.empty() || test::holds(text, "could not be started")));
      CHECK(pool.submit(add, 2, 3).result(limit) == 5);
    }
    CHECK(test::descriptor_count() == descriptors);
  }
  CHECK(failures > 0);
}

TEST_CASE("spawn: while a worker lives, tasks wait for it") {
  WorkerFolder folder;
  WorkerGate gate(folder / "gate");
  ProcessPoolExecutor pool(2);
  auto blocked = pool.submit(pass, gate.path());
  gate.wait_for_arrival();
  {
    const DescriptorLimit lowered(5);
    auto waits = pool.submit(add, 2, 3);
    CHECK_THROWS_AS((void)waits.result(50ms), TimeoutError);
    gate.open();
    CHECK(waits.result(limit) == 5);
  }
  blocked.result(limit);
}

TEST_SUITE_END();

}  // namespace
