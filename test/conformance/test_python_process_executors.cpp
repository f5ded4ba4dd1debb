// CPython's cases for every executor, process side: the contract, initializers, and waiting.
#include <doctest/doctest.h>

#include <csignal>
#include <cstdlib>
#include <memory>
#include <plait/futures.hpp>
#include <ranges>
#include <stdexcept>
#include <string>
#include <vector>

#include "../support/log_capture.hpp"
#include "../support/nothing_left.hpp"
#include "../support/prepared_futures.hpp"
#include "../support/process_gate.hpp"
#include "../support/process_probe.hpp"
#include "executor_contract.hpp"

namespace plait::test {

TEST_SUITE_BEGIN("conformance/process_executors");

TEST_CASE_TEMPLATE_INVOKE(contract_submit_value, ProcessPoolExecutor);
TEST_CASE_TEMPLATE_INVOKE(contract_submit_arguments, ProcessPoolExecutor);
TEST_CASE_TEMPLATE_INVOKE(contract_submit_error, ProcessPoolExecutor);
TEST_CASE_TEMPLATE_INVOKE(contract_submit_cancelled, ProcessPoolExecutor);
TEST_CASE_TEMPLATE_INVOKE(contract_submit_move_only, ProcessPoolExecutor);
TEST_CASE_TEMPLATE_INVOKE(contract_submit_stop_token, ProcessPoolExecutor);
TEST_CASE_TEMPLATE_INVOKE(contract_submit_options, ProcessPoolExecutor);
TEST_CASE_TEMPLATE_INVOKE(contract_submit_after_shutdown, ProcessPoolExecutor);
TEST_CASE_TEMPLATE_INVOKE(contract_shutdown_idempotent, ProcessPoolExecutor);
TEST_CASE_TEMPLATE_INVOKE(contract_map_order, ProcessPoolExecutor);
TEST_CASE_TEMPLATE_INVOKE(contract_map_chunks, ProcessPoolExecutor);
TEST_CASE_TEMPLATE_INVOKE(contract_map_two_inputs, ProcessPoolExecutor);
TEST_CASE_TEMPLATE_INVOKE(contract_map_empty, ProcessPoolExecutor);
TEST_CASE_TEMPLATE_INVOKE(contract_map_error, ProcessPoolExecutor);
TEST_CASE_TEMPLATE_INVOKE(contract_map_validation, ProcessPoolExecutor);
TEST_CASE_TEMPLATE_INVOKE(contract_map_move_only, ProcessPoolExecutor);
TEST_CASE_TEMPLATE_INVOKE(contract_map_void, ProcessPoolExecutor);
TEST_CASE_TEMPLATE_INVOKE(contract_map_close, ProcessPoolExecutor);

namespace {

constexpr auto limit = 20s;

using Futures = std::vector<Future<int>>;

int echo(int number) { return number; }
int fail() { throw TestError("job"); }

// The job of a number: waits at the gate, unless the number is below `first`.
struct GatedFrom {
  int first = 0;
  std::string gate{};
  int operator()(int number) const { return number < first ? number : pass_gate(gate, number); }
};

// A pool with one job that ends with the scope at the latest.
struct BlockedJob {
  ProcessPoolExecutor pool{3};
  ProcessGate gate;
  Future<int> future = pool.submit(pass_gate, gate.folder(), 0);
  BlockedJob() { gate.wait_for_arrivals(1); }
};

// Holds something of this process, and travels without it.
struct Holder {
  std::shared_ptr<int> held;
  template <class Archive>
  void save(Archive&) const {}
  template <class Archive>
  void load(Archive&) {}
};
struct HoldingCall {
  Holder holder;
  int operator()(const Holder&) const { return 1; }
};

// ---------------------------------------------------------------- executor

TEST_CASE_FIXTURE(NothingLeft, "submit: frees callable and arguments here once the job is done") {
  ProcessPoolExecutor pool(1);
  const auto held = std::make_shared<int>(1);
  const auto future = pool.submit(HoldingCall{{held}}, Holder{held});
  CHECK(future.result(limit) == 1);
  CHECK(eventually([&] { return held.use_count() == 1; }));
}

// A worker that has had few jobs is not sent any ahead, so what is behind the blocked one never
// starts.
TEST_CASE_FIXTURE(NothingLeft,
                  "map: one deadline from the call on [cpython executor.test_map_timeout]") {
  ProcessPoolExecutor pool(1);
  ProcessGate gate;
  pool.submit(echo, 0).result(limit);  // starts the process
  auto results =
      pool.map({.timeout = 500ms}, GatedFrom{1, gate.folder()}, std::vector{0, 0, 6, 7, 8});
  auto position = results.begin();
  CHECK(*position == 0);
  CHECK(*++position == 0);
  ++position;
  CHECK_THROWS_AS(*position, TimeoutError);
  if (position != results.end()) ++position;
  CHECK(position == results.end());
  CHECK(results.begin() == results.end());
  gate.let_through(1);
  pool.shutdown();
  CHECK(gate.arrived() == "g");
}

TEST_CASE_FIXTURE(NothingLeft,
                  "map: dropping the results cancels what has not started [cpython "
                  "executor.test_map_close]") {
  for (const std::size_t chunksize : {1, 3}) {
    ProcessPoolExecutor pool(1);
    ProcessGate gate;
    {
      auto results =
          pool.map({.chunksize = chunksize}, GatedFrom{3, gate.folder()}, std::views::iota(0, 12));
      CHECK(*results.begin() == 0);
      gate.wait_for_arrivals(1);
    }
    gate.let_through(3);
    pool.shutdown();
    CHECK(gate.arrived() == (chunksize == 1 ? "d" : "def"));
  }
}

TEST_CASE_FIXTURE(NothingLeft,
                  "shutdown: right after a map nobody reads returns [cpython "
                  "executor.test_shutdown_race_issue12456]") {
  for (int round = 0; round < 10; ++round) {
    ProcessPoolExecutor pool(2);
    auto results = pool.map(power, std::views::iota(0, 3), std::views::iota(0, 3));
    pool.shutdown();
    CHECK(collect(results) == std::vector{1, 1, 4});
  }
}

TEST_CASE_FIXTURE(NothingLeft,
                  "ProcessPoolExecutor: refuses an impossible number of workers [cpython "
                  "executor.test_max_workers_negative]") {
  CHECK_THROWS_AS(ProcessPoolExecutor(static_cast<std::size_t>(-1)), std::invalid_argument);
  CHECK_THROWS_AS(ProcessPoolExecutor({.max_workers = static_cast<std::size_t>(-1)}),
                  std::invalid_argument);
}

// ---------------------------------------------------------------- initializer

int worker_state = 0;

int state_behind_gate(const std::string& gate) {
  pass_gate(gate, 0);
  return worker_state;
}

TEST_CASE_FIXTURE(NothingLeft,
                  "initializer: runs once in each worker before its first job [cpython "
                  "test_init.InitializerMixin.test_initializer]") {
  ProcessPoolExecutor pool({.max_workers = 2, .initializer = [] { worker_state += 5; }});
  ProcessGate gate;
  Futures states;
  for (int i = 0; i < 10; ++i) states.push_back(pool.submit(state_behind_gate, gate.folder()));
  gate.wait_for_arrivals(2);
  gate.let_through(10);
  for (const auto& state : states) CHECK(state.result(limit) == 5);
  CHECK(worker_state == 0);
}

constexpr const char* gate_variable = "PLAIT_TEST_GATE";

void fail_behind_gate() {
  wait_at(std::getenv(gate_variable));
  throw std::logic_error("no licence");
}

TEST_CASE_FIXTURE(NothingLeft,
                  "initializer: its failure fails all jobs submitted so far and every later "
                  "submit [cpython test_init.FailingInitializerMixin.test_initializer/pending]") {
  const LogCapture log;
  ProcessGate gate;
  ::setenv(gate_variable, gate.folder().c_str(), 1);
  ProcessPoolExecutor pool({.max_workers = 2, .initializer = fail_behind_gate});
  Futures futures;
  for (int i = 0; i < 10; ++i) futures.push_back(pool.submit(echo, i));
  gate.let_through(2);
  for (const auto& future : futures) {
    const auto text = text_of<BrokenProcessPool>([&] { future.result(limit); });
    CHECK(holds(text, "no licence"));
  }
  CHECK(futures[0].exception() != futures[1].exception());
  CHECK_THROWS_AS(pool.submit(echo, 1), BrokenProcessPool);
  CHECK(log.count("no licence") == 1);
  ::unsetenv(gate_variable);
}

TEST_CASE_FIXTURE(NothingLeft,
                  "initializer: its failure leaves no process and no descriptor [cpython "
                  "test_init.FailingInitializerResourcesTest]") {
  const LogCapture log;
  void (*const initializers[])() = {[] { throw std::logic_error("no licence"); },
                                    [] { ::_exit(3); }, [] { std::raise(SIGKILL); }};
  for (const auto initializer : initializers) {
    ProcessPoolExecutor pool({.max_workers = 2, .initializer = initializer});
    auto failed = pool.submit(echo, 1);
    CHECK_THROWS_AS(failed.result(limit), BrokenProcessPool);
    CHECK_THROWS_AS(pool.submit(echo, 1), BrokenProcessPool);
    pool.shutdown();
    CHECK_FALSE(has_children());
    CHECK(pool.worker_pids().empty());
  }
}

TEST_CASE_FIXTURE(NothingLeft,
                  "ProcessPoolExecutor: starts nothing before the first job is submitted [cpython "
                  "test_interpreter_pool.test_init_func]") {
  const auto threads_before = thread_count();
  ProcessPoolExecutor pool({.max_workers = 4, .initializer = [] { worker_state = 3; }});
  CHECK(pool.worker_pids().empty());
  CHECK_FALSE(has_children());
  CHECK(thread_count() == threads_before);
  CHECK(pool.submit([] { return worker_state; }).result(limit) == 3);
}

// ---------------------------------------------------------------- wait, as_completed

TEST_CASE_FIXTURE(NothingLeft, "wait: a future given twice counts once [test_wait.test_20369]") {
  ProcessPoolExecutor pool(1);
  const auto future = pool.submit(echo, 1);
  const auto [done, not_done] = wait(Futures{future, future});
  CHECK(done == Futures{future});
  CHECK(not_done.empty());
}

TEST_CASE_FIXTURE(NothingLeft,
                  "wait: FIRST_COMPLETED returns at once where some are done [cpython "
                  "test_wait.test_first_completed_some_already_completed]") {
  PreparedFutures prepared;
  BlockedJob blocked;
  const auto [done, not_done] = wait(Futures{prepared.notified, prepared.succeeded, blocked.future},
                                     {.return_when = FIRST_COMPLETED});
  CHECK(same_futures(done, {prepared.notified, prepared.succeeded}));
  CHECK(not_done == Futures{blocked.future});
}

TEST_CASE_FIXTURE(NothingLeft,
                  "wait: FIRST_EXCEPTION returns at the first failure [cpython "
                  "test_wait.test_first_exception]") {
  BlockedJob blocked;
  const auto ok = blocked.pool.submit(echo, 1);
  ok.wait();
  const auto failed = blocked.pool.submit(fail);
  const auto [done, not_done] =
      wait(Futures{ok, failed, blocked.future}, {.return_when = FIRST_EXCEPTION});
  CHECK(same_futures(done, {ok, failed}));
  CHECK(not_done == Futures{blocked.future});
  CHECK(holds(text_of<RemoteError>([&] { failed.result(limit); }), "TestError: job"));
}

TEST_CASE_FIXTURE(NothingLeft,
                  "wait: FIRST_EXCEPTION returns at once where one has failed [cpython "
                  "test_wait.test_first_exception_one_already_failed]") {
  PreparedFutures prepared;
  BlockedJob blocked;
  const auto [done, not_done] =
      wait(Futures{prepared.failed, blocked.future}, {.return_when = FIRST_EXCEPTION});
  CHECK(done == Futures{prepared.failed});
  CHECK(not_done == Futures{blocked.future});
}

TEST_CASE_FIXTURE(NothingLeft,
                  "wait: ALL_COMPLETED returns when all are done [test_wait.test_all_completed]") {
  PreparedFutures prepared;
  ProcessPoolExecutor pool(2);
  const auto failing = pool.submit(fail);
  const Futures futures{prepared.succeeded, prepared.notified, prepared.failed, failing,
                        pool.submit(echo, 3)};
  const auto [done, not_done] = wait(futures);
  CHECK(same_futures(done, futures));
  CHECK(not_done.empty());
  CHECK(failing.exception());
}

TEST_CASE_FIXTURE(NothingLeft, "wait: a timeout returns what is done [test_wait.test_timeout]") {
  PreparedFutures prepared;
  BlockedJob blocked;
  const Futures finished{prepared.succeeded, prepared.notified, prepared.failed};
  Futures all = finished;
  all.push_back(blocked.future);
  const auto [done, not_done] = wait(all, {.timeout = 50ms});
  CHECK(same_futures(done, finished));
  CHECK(not_done == Futures{blocked.future});
}

TEST_CASE_FIXTURE(NothingLeft,
                  "as_completed: yields done futures and jobs, each once [cpython "
                  "test_as_completed.test_no_timeout] [cpython "
                  "test_as_completed.test_duplicate_futures]") {
  PreparedFutures prepared;
  ProcessPoolExecutor pool(2);
  const auto twice = pool.submit(echo, 1);
  const Futures futures{prepared.notified, prepared.failed, prepared.succeeded,
                        pool.submit(echo, 2), twice};
  Futures given = futures;
  given.push_back(twice);
  Futures completed;
  for (const auto& future : as_completed(given)) completed.push_back(future);
  CHECK(same_futures(completed, futures));
}

TEST_CASE_FIXTURE(NothingLeft,
                  "as_completed: follows the order of completion [cpython "
                  "derived.cf_as_completed_order]") {
  ProcessPoolExecutor pool(3);
  ProcessGate gates[3];
  Futures futures;
  for (int i = 0; i < 3; ++i) futures.push_back(pool.submit(pass_gate, gates[i].folder(), i));
  std::vector<int> order;
  gates[1].let_through(1);
  for (const auto& future : as_completed(futures)) {
    order.push_back(future.result());
    gates[order.size() == 1 ? 2 : 0].let_through(1);
  }
  CHECK(order == std::vector{1, 2, 0});
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
