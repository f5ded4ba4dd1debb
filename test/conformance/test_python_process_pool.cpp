// CPython's test_process_pool: how many processes, and what becomes of a pool that loses them.
#include <doctest/doctest.h>
#include <pthread.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <plait/futures.hpp>
#include <ranges>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "../support/log_capture.hpp"
#include "../support/nothing_left.hpp"
#include "../support/process_gate.hpp"
#include "../support/process_probe.hpp"

namespace plait::test {
namespace {

constexpr auto limit = 20s;

int product(int a, int b) { return a * b; }

// Says in the worker when it is destroyed there.
class Witness {
 public:
  Witness() = default;
  explicit Witness(std::string gate) : gate_(std::move(gate)) {}
  Witness(Witness&& other) noexcept : gate_(std::exchange(other.gate_, {})) {}
  ~Witness() {
    if (is_worker_process() && !gate_.empty()) arrive_at(gate_, 'x');
  }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(gate_);
  }

 private:
  std::string gate_;
};

// For as long as it lives, this process can open no further descriptor.
class NoDescriptors {
 public:
  NoDescriptors() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const Descriptor first_free("/dev/null", O_RDONLY);
    const rlimit none{static_cast<rlim_t>(first_free.get()), before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &none);
  }
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;

 private:
  rlimit before_{};
};

// For as long as it lives, this process can start no thread: the stack that each one would get is
// larger than what there are addresses for.
class NoThreads {
 public:
  NoThreads() {
    ::pthread_getattr_default_np(&before_);
    pthread_attr_t attributes;
    ::pthread_attr_init(&attributes);
    ::pthread_attr_setstacksize(&attributes, std::size_t{1} << 47);
    ::pthread_setattr_default_np(&attributes);
    ::pthread_attr_destroy(&attributes);
  }
  ~NoThreads() {
    ::pthread_setattr_default_np(&before_);
    ::pthread_attr_destroy(&before_);
  }
  NoThreads(const NoThreads&) = delete;
  NoThreads& operator=(const NoThreads&) = delete;

 private:
  pthread_attr_t before_;
};

TEST_SUITE_BEGIN("conformance/test_process_pool");

// ---------------------------------------------------------------- deaths

TEST_CASE_FIXTURE(NothingLeft,
                  "break_pool: the pool of a worker that is killed fails everything and takes "
                  "nothing more [cpython test_process_pool.test_killed_child]") {
  const LogCapture log;
  ProcessPoolExecutor pool({.max_workers = 1, .on_worker_death = OnWorkerDeath::break_pool});
  ProcessGate gate;
  auto running = pool.submit(pass_gate, gate.folder(), 0);
  auto queued = pool.submit(pass_gate, gate.folder(), 1);
  gate.wait_for_arrivals(1);
  const int pid = pool.worker_pids().at(0);
  ::kill(pid, SIGKILL);
  const auto text = text_of<BrokenProcessPool>([&] { running.result(limit); });
  CHECK(holds(text, std::to_string(pid)));
  CHECK(holds(text, "SIGKILL"));
  CHECK_THROWS_AS(queued.result(limit), BrokenProcessPool);
  CHECK(running.exception() != queued.exception());
  CHECK_THROWS_AS(pool.submit(product, 2, 3), BrokenProcessPool);
  CHECK(gate.arrived() == "a");
}

TEST_CASE_FIXTURE(NothingLeft,
                  "break_pool: the cause of what fails with the pool is the worker's death") {
  const LogCapture log;
  ProcessPoolExecutor pool({.max_workers = 1, .on_worker_death = OnWorkerDeath::break_pool});
  auto failed = pool.submit([] { ::_exit(7); });
  try {
    failed.result(limit);
    FAIL("it did not fail");
  } catch (const BrokenProcessPool& broken) {
    try {
      std::rethrow_if_nested(broken);
      FAIL("nothing is nested in it");
    } catch (const WorkerDied& death) {
      CHECK(death.exit_status() == 7);
    }
  }
}

// In CPython, too, the death alone is enough: what the worker had to do does not matter.
TEST_CASE_FIXTURE(NothingLeft,
                  "break_pool: the death of a worker that has nothing to do breaks the pool") {
  const LogCapture log;
  ProcessPoolExecutor pool({.max_workers = 2, .on_worker_death = OnWorkerDeath::break_pool});
  const int pid = pool.submit(worker_pid).result(limit);
  ::kill(pid, SIGKILL);
  REQUIRE(eventually([&] { return pool.worker_pids().empty(); }));
  CHECK_THROWS_AS(pool.submit(product, 2, 3).result(limit), BrokenProcessPool);
}

TEST_CASE_FIXTURE(NothingLeft,
                  "fail_task: a worker that is killed takes its own task with it and no other "
                  "[cpython test_process_pool.test_killed_child]") {
  ProcessPoolExecutor pool(1);
  ProcessGate gate;
  auto running = pool.submit(pass_gate, gate.folder(), 0);
  auto queued = pool.submit(pass_gate, gate.folder(), 1);
  gate.wait_for_arrivals(1);
  const int pid = pool.worker_pids().at(0);
  ::kill(pid, SIGKILL);
  try {
    running.result(limit);
    FAIL("it did not fail");
  } catch (const WorkerDied& death) {
    CHECK(death.signal() == SIGKILL);
    CHECK(death.pid() == pid);
  }
  CHECK(gate.wait_for_arrivals(2) == "ab");
  gate.let_through(1);
  CHECK(queued.result(limit) == 1);
  CHECK(pool.submit(product, 2, 3).result(limit) == 6);
  CHECK(is_gone(pid));
}

TEST_CASE_FIXTURE(NothingLeft,
                  "result: an error keeps its kind and text and tells where it was thrown "
                  "[cpython test_process_pool.test_traceback]") {
  ProcessPoolExecutor pool(1);
  auto failed = pool.submit([](int number) { throw RuntimeError(std::to_string(number)); }, 123);
  try {
    failed.result(limit);
    FAIL("it did not fail");
  } catch (const RuntimeError& error) {
    CHECK(error.what() == std::string("123"));
    const auto* const info = dynamic_cast<const RemoteInfo*>(&error);
    REQUIRE(info);
    CHECK(info->pid() == pool.worker_pids().at(0));
    CHECK(info->type_name() == "plait::RuntimeError");
  }
}

// ---------------------------------------------------------------- jobs

TEST_CASE_FIXTURE(NothingLeft,
                  "map: chunks of 6, 40 and 50 of 40 elements give what a loop gives "
                  "[cpython test_process_pool.test_map_chunksize]") {
  ProcessPoolExecutor pool(2);
  const auto inputs = std::views::iota(0, 40);
  std::vector<int> expected;
  for (const int i : inputs) expected.push_back(product(i, i));
  for (const std::size_t chunksize : {6, 40, 50}) {
    std::vector<int> values;
    for (const int value : pool.map({.chunksize = chunksize}, product, inputs, inputs)) {
      values.push_back(value);
    }
    CHECK(values == expected);
  }
  CHECK_THROWS_AS(pool.map({.chunksize = 0}, product, inputs, inputs), std::invalid_argument);
}

TEST_CASE_FIXTURE(NothingLeft,
                  "submit: an argument is destroyed in the worker right after its job "
                  "[cpython test_process_pool.test_ressources_gced_in_workers]") {
  ProcessPoolExecutor pool(1);
  ProcessGate gate;
  pool.submit([](const Witness&) {}, Witness(gate.folder())).result(limit);
  CHECK(gate.wait_for_arrivals(1) == "x");
}

// ---------------------------------------------------------------- how many processes

TEST_CASE_FIXTURE(NothingLeft,
                  "submit: more jobs than workers start max_workers processes and no more "
                  "[cpython test_process_pool.test_saturation]") {
  constexpr std::size_t workers = 3, jobs = 15 * workers;
  ProcessPoolExecutor pool(workers);
  ProcessGate gate;
  std::vector<Future<int>> futures;
  for (std::size_t i = 0; i < jobs; ++i)
    futures.push_back(pool.submit(pass_gate, gate.folder(), 0));
  CHECK(gate.wait_for_arrivals(workers).size() == workers);
  CHECK(pool.worker_pids().size() == workers);
  gate.let_through(jobs);
  for (const auto& future : futures) CHECK(future.result(limit) == 0);
  CHECK(pool.worker_pids().size() == workers);
  CHECK(gate.arrived().size() == jobs);
}

TEST_CASE_FIXTURE(NothingLeft,
                  "submit: jobs one after the other share one process [cpython "
                  "test_process_pool.test_idle_process_reuse_one]") {
  ProcessPoolExecutor pool(4);
  CHECK(pool.submit(product, 21, 2).result(limit) == 42);
  CHECK(pool.submit(product, 6, 7).result(limit) == 42);
  CHECK(pool.submit(product, 3, 14).result(limit) == 42);
  CHECK(pool.worker_pids().size() == 1);
}

TEST_CASE_FIXTURE(NothingLeft,
                  "submit: a process that is idle is used before another one is started "
                  "[cpython test_process_pool.test_idle_process_reuse_multiple]") {
  ProcessPoolExecutor pool(5);
  for (int i = 0; i < 3; ++i) {
    auto alongside = pool.submit(product, i, 2);
    CHECK(pool.submit(product, i, 7).result(limit) == 7 * i);
    CHECK(alongside.result(limit) == 2 * i);
  }
  CHECK(pool.worker_pids().size() <= 3);
}

TEST_CASE_FIXTURE(NothingLeft,
                  "max_tasks_per_child: another process takes the fourth job where three are "
                  "allowed [cpython test_process_pool.test_max_tasks_per_child]") {
  ProcessPoolExecutor pool({.max_workers = 1, .max_tasks_per_child = 3});
  std::vector<int> pids;
  for (int i = 0; i < 7; ++i) {
    pids.push_back(pool.submit(worker_pid).result(limit));
    CHECK(pool.worker_pids().size() <= 1);
  }
  CHECK(pids[1] == pids[0]);
  CHECK(pids[2] == pids[0]);
  CHECK(pids[3] != pids[0]);
  CHECK(pids[5] == pids[3]);
  CHECK(pids[6] != pids[3]);
  CHECK(eventually([&] { return is_gone(pids[0]); }));
}

TEST_CASE_FIXTURE(NothingLeft,
                  "max_tasks_per_child: every job has run after an early shutdown [cpython "
                  "test_process_pool.test_max_tasks_early_shutdown]") {
  ProcessPoolExecutor pool({.max_workers = 3, .max_tasks_per_child = 1});
  std::vector<Future<int>> futures;
  for (int i = 0; i < 6; ++i) futures.push_back(pool.submit(product, i, i));
  pool.shutdown();
  for (int i = 0; i < 6; ++i) CHECK(futures[static_cast<std::size_t>(i)].result(0s) == i * i);
}

// ---------------------------------------------------------------- no process, no thread

TEST_CASE_FIXTURE(NothingLeft,
                  "max_tasks_per_child: where no worker can be replaced, what is queued fails "
                  "[cpython test_process_pool.test_failed_worker_replacement_breaks_pool]") {
  const LogCapture log;
  ProcessPoolExecutor pool({.max_workers = 1, .max_tasks_per_child = 1});
  ProcessGate gate;
  auto first = pool.submit(pass_gate, gate.folder(), 0);
  std::vector<Future<int>> queued;
  for (int i = 0; i < 3; ++i) queued.push_back(pool.submit(product, i, i));
  gate.wait_for_arrivals(1);
  {
    const NoDescriptors none;
    gate.let_through(1);
    CHECK(first.result(limit) == 0);
    for (const auto& future : queued) {
      const auto text = text_of<BrokenProcessPool>([&] { future.result(limit); });
      CHECK(holds(text, "could not be started"));
    }
  }
  pool.shutdown();
  CHECK(pool.worker_pids().empty());
}

TEST_CASE_FIXTURE(NothingLeft,
                  "submit: a pool whose own thread cannot be started says so [cpython "
                  "test_process_pool.test_python_finalization_error]") {
  const LogCapture log;
  ProcessPoolExecutor pool(2);
  {
    const NoThreads none;
    CHECK_THROWS_AS(pool.map(product, std::vector{1, 2}, std::vector{3, 4}), BrokenProcessPool);
    CHECK_THROWS_AS(pool.submit(product, 1, 2), BrokenProcessPool);
  }
  CHECK(pool.worker_pids().empty());
  pool.shutdown();
}

// ---------------------------------------------------------------- ending them by force

struct Force {
  const char* name;
  void (ProcessPoolExecutor::*end)();
  int signal;
};
constexpr Force forces[] = {
    {"terminate_workers", &ProcessPoolExecutor::terminate_workers, SIGTERM},
    {"kill_workers", &ProcessPoolExecutor::kill_workers, SIGKILL},
};

int told_of_sigterm = -1;

// Never ends by itself, and says so when it gets a SIGTERM.
void tell_of_sigterm(const std::string& gate) {
  const Descriptor arrivals(gate + "/arrivals", O_WRONLY);
  told_of_sigterm = arrivals.get();
  std::signal(SIGTERM, [](int) {
    (void)!::write(told_of_sigterm, "T", 1);
    ::_exit(0);
  });
  arrive_at(gate, 'a');
  for (;;) ::pause();
}

TEST_CASE_FIXTURE(NothingLeft,
                  "terminate_workers, kill_workers: send their signal, and the blocked job never "
                  "ends [cpython test_process_pool.test_terminate_workers]") {
  for (const auto& force : forces) {
    CAPTURE(force.name);
    const LogCapture log;
    ProcessPoolExecutor pool(1);
    ProcessGate gate;
    auto blocked = pool.submit(tell_of_sigterm, gate.folder());
    auto queued = pool.submit(product, 2, 3);
    gate.wait_for_arrivals(1);
    const int pid = pool.worker_pids().at(0);
    (pool.*force.end)();
    CHECK_THROWS_AS(blocked.result(limit), BrokenProcessPool);
    CHECK_THROWS_AS(queued.result(limit), CancelledError);
    pool.shutdown();
    CHECK(is_gone(pid));
    CHECK(gate.arrived() == (force.signal == SIGTERM ? "aT" : "a"));
  }
}

TEST_CASE_FIXTURE(NothingLeft,
                  "terminate_workers, kill_workers: harm nothing where no worker was started "
                  "[cpython test_process_pool.test_force_shutdown_workers_not_started_yet]") {
  for (const auto& force : forces) {
    CAPTURE(force.name);
    ProcessPoolExecutor pool(2);
    (pool.*force.end)();
    (pool.*force.end)();
    CHECK(pool.worker_pids().empty());
    CHECK_FALSE(has_children());
    pool.shutdown();
  }
}

TEST_CASE_FIXTURE(NothingLeft,
                  "terminate_workers, kill_workers: nothing is taken after that, and idle workers "
                  "end [cpython test_process_pool.test_force_shutdown_workers_stops_pool]") {
  for (const auto& force : forces) {
    CAPTURE(force.name);
    ProcessPoolExecutor pool(2);
    const int pid = pool.submit(worker_pid).result(limit);
    (pool.*force.end)();
    const auto text = text_of<RuntimeError>([&] { pool.submit(product, 2, 3); });
    CHECK(holds(text, "cannot schedule new futures after shutdown"));
    CHECK(eventually([&] { return is_gone(pid); }));
    CHECK(eventually([&] { return pool.worker_pids().empty(); }));
    (pool.*force.end)();
  }
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
