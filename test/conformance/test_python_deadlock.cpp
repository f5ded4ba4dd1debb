// CPython's test_deadlock: whatever fails or crashes on a job's way there and back, nothing hangs.
#include <doctest/doctest.h>

#include <atomic>
#include <csignal>
#include <plait/futures.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "../support/gate.hpp"
#include "../support/log_capture.hpp"
#include "../support/nothing_left.hpp"
#include "../support/process_gate.hpp"
#include "../support/process_probe.hpp"

namespace plait::test {
namespace {

constexpr auto limit = 20s;
constexpr OnWorkerDeath policies[] = {OnWorkerDeath::fail_task, OnWorkerDeath::break_pool};

void throw_error() { throw std::runtime_error("on purpose"); }

// A sanitizer's handler would make an exit of it.
void crash() {
  std::signal(SIGSEGV, SIG_DFL);
  std::raise(SIGSEGV);
}

// Something whose writing or reading goes wrong.
template <void (*OnWrite)(), void (*OnRead)()>
struct Faulty {
  template <class Archive>
  void save(Archive&) const {
    if constexpr (OnWrite != nullptr) OnWrite();
  }
  template <class Archive>
  void load(Archive&) {
    if constexpr (OnRead != nullptr) OnRead();
  }
};
using ErrorAtWrite = Faulty<throw_error, nullptr>;
using ErrorAtRead = Faulty<nullptr, throw_error>;
using CrashAtWrite = Faulty<crash, nullptr>;
using CrashAtRead = Faulty<nullptr, crash>;

template <class T>
int take(const T&) {
  return 0;
}
template <class T>
T make() {
  return {};
}
int same(int number) { return number; }

int pass_and_crash(const std::string& gate) {
  pass_gate(gate, 0);
  crash();
  return 0;
}

ProcessPoolOptions options_of(OnWorkerDeath policy) {
  return {.max_workers = 2, .on_worker_death = policy};
}

// submit(pool) gives a future that fails with an E which names the cause; the pool goes on.
template <class E, class Submit>
void check_fails(Submit submit) {
  for (const auto policy : policies) {
    CAPTURE(static_cast<int>(policy));
    ProcessPoolExecutor pool(options_of(policy));
    auto before = pool.submit(same, 1);
    auto failed = submit(pool);
    auto after = pool.submit(same, 2);
    CHECK(holds(text_of<E>([&] { failed.result(limit); }), "on purpose"));
    CHECK(before.result(limit) == 1);
    CHECK(after.result(limit) == 2);
    CHECK(pool.submit(same, 3).result(limit) == 3);
  }
}

// submit(pool) gives a future whose worker dies.
template <class Submit>
void check_kills(Submit submit) {
  {
    ProcessPoolExecutor pool(options_of(OnWorkerDeath::fail_task));
    auto failed = submit(pool);
    auto after = pool.submit(same, 2);
    CHECK_THROWS_AS(failed.result(limit), WorkerDied);
    CHECK(after.result(limit) == 2);
    CHECK(pool.submit(same, 3).result(limit) == 3);
  }
  const LogCapture log;
  ProcessPoolExecutor pool(options_of(OnWorkerDeath::break_pool));
  auto failed = submit(pool);
  CHECK_THROWS_AS(failed.result(limit), BrokenProcessPool);
  CHECK_THROWS_AS(pool.submit(same, 3), BrokenProcessPool);
  CHECK(log.count("SIGSEGV") == 1);
}

TEST_SUITE_BEGIN("conformance/test_deadlock");

// ---------------------------------------------------------------- errors

TEST_CASE_FIXTURE(NothingLeft,
                  "submit: an argument that cannot be written fails its own future [cpython "
                  "test_deadlock.test_error_at_task_pickle]") {
  check_fails<SerializationError>(
      [](auto& pool) { return pool.submit(take<ErrorAtWrite>, ErrorAtWrite()); });
}

// Python's worker cannot go on after this. Here it can, so that no pool breaks.
TEST_CASE_FIXTURE(NothingLeft,
                  "submit: an argument that cannot be read in the worker fails its own future "
                  "[cpython test_deadlock.test_error_at_task_unpickle]") {
  check_fails<SerializationError>(
      [](auto& pool) { return pool.submit(take<ErrorAtRead>, ErrorAtRead()); });
}

TEST_CASE_FIXTURE(NothingLeft,
                  "submit: what a job throws fails its own future [cpython "
                  "test_deadlock.test_error_during_func_exec_on_worker]") {
  check_fails<std::runtime_error>([](auto& pool) { return pool.submit(throw_error); });
}

TEST_CASE_FIXTURE(NothingLeft,
                  "result: one that cannot be written in the worker fails its own future [cpython "
                  "test_deadlock.test_error_during_result_pickle_on_worker]") {
  check_fails<SerializationError>([](auto& pool) { return pool.submit(make<ErrorAtWrite>); });
}

TEST_CASE_FIXTURE(NothingLeft, "result: one that cannot be read here fails its own future") {
  check_fails<SerializationError>([](auto& pool) { return pool.submit(make<ErrorAtRead>); });
}

TEST_CASE_FIXTURE(NothingLeft, "map: an input that cannot be written fails only its own chunk") {
  ProcessPoolExecutor pool(2);
  auto results = pool.map(take<ErrorAtWrite>, std::vector<ErrorAtWrite>(2));
  CHECK_THROWS_AS(results.next(), SerializationError);
  CHECK_THROWS_AS(results.next(), SerializationError);
  CHECK_FALSE(results.next());
  CHECK(pool.submit(same, 3).result(limit) == 3);
}

TEST_CASE_FIXTURE(NothingLeft, "submit: a hundred bad arguments among a hundred good ones") {
  ProcessPoolExecutor pool(2);
  std::vector<Future<int>> good, bad;
  for (int i = 0; i < 100; ++i) {
    bad.push_back(pool.submit(take<ErrorAtWrite>, ErrorAtWrite()));
    good.push_back(pool.submit(same, i));
    bad.push_back(pool.submit(take<ErrorAtRead>, ErrorAtRead()));
  }
  for (int i = 0; i < 100; ++i) CHECK(good[static_cast<std::size_t>(i)].result(limit) == i);
  for (const auto& future : bad) CHECK_THROWS_AS(future.result(limit), SerializationError);
}

// ---------------------------------------------------------------- crashes

TEST_CASE_FIXTURE(NothingLeft,
                  "submit: reading an argument crashes the worker [cpython "
                  "test_deadlock.test_crash_at_task_unpickle]") {
  check_kills([](auto& pool) { return pool.submit(take<CrashAtRead>, CrashAtRead()); });
}

TEST_CASE_FIXTURE(NothingLeft,
                  "submit: a job crashes its worker [cpython "
                  "test_deadlock.test_crash_during_func_exec_on_worker]") {
  check_kills([](auto& pool) { return pool.submit(crash); });
}

TEST_CASE_FIXTURE(NothingLeft,
                  "result: writing it crashes the worker [cpython "
                  "test_deadlock.test_crash_during_result_pickle_on_worker]") {
  check_kills([](auto& pool) { return pool.submit(make<CrashAtWrite>); });
}

// ---------------------------------------------------------------- shutdown

TEST_CASE_FIXTURE(NothingLeft,
                  "shutdown: one that waits returns when the job crashes that it waits for "
                  "[cpython test_deadlock.test_shutdown_deadlock]") {
  for (const auto policy : policies) {
    CAPTURE(static_cast<int>(policy));
    const LogCapture log;
    ProcessPoolExecutor pool(options_of(policy));
    ProcessGate gate;
    auto crashing = pool.submit(pass_and_crash, gate.folder());
    gate.wait_for_arrivals(1);
    {
      ProbedThread caller([&] { pool.shutdown(); });
      caller.wait_until_asleep();
      CHECK_FALSE(crashing.done());
      gate.let_through(1);
    }
    if (policy == OnWorkerDeath::fail_task) {
      CHECK_THROWS_AS(crashing.result(0s), WorkerDied);
    } else {
      CHECK_THROWS_AS(crashing.result(0s), BrokenProcessPool);
    }
  }
}

TEST_CASE_FIXTURE(NothingLeft,
                  "shutdown: right after an argument that cannot be written it hangs nobody "
                  "[cpython test_deadlock.test_shutdown_deadlock_pickle]") {
  for (const bool wait : {true, false}) {
    ProcessPoolExecutor pool(2);
    auto failed = pool.submit(take<ErrorAtWrite>, ErrorAtWrite());
    pool.shutdown({.wait = wait});
    CHECK_THROWS_AS(failed.result(limit), SerializationError);
  }
}

// Done-callbacks run in the pool's own thread: while one of them waits, nothing takes what is
// submitted, and nobody clears the channel that should wake the pool.
TEST_CASE_FIXTURE(NothingLeft,
                  "submit: does not block while the pool's own thread is held up [cpython "
                  "test_deadlock.test_gh105829_should_not_deadlock_if_wakeup_pipe_full]") {
  constexpr int jobs = 20'000;
  ProcessPoolExecutor pool(2);
  Gate gate;
  auto first = pool.submit(same, 0);
  first.add_done_callback([&](const Future<int>&) { gate.pass(); });
  gate.wait_for_arrivals(1);
  std::vector<Future<int>> futures;
  for (int i = 0; i < jobs; ++i) futures.push_back(pool.submit(same, i));
  CHECK_FALSE(futures.front().done());
  gate.open();
  int right = 0;
  for (int i = 0; i < jobs; ++i) {
    right += futures[static_cast<std::size_t>(i)].result(limit) == i ? 1 : 0;
  }
  CHECK(right == jobs);
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
