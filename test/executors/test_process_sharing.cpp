// Tests of ProcessPoolExecutor: which worker gets which task, and that none waits for nothing.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <stdexcept>
#include <string>
#include <vector>

#include <plait/executors/process_pool_executor.hpp>

#include "../support/process_probe.hpp"
#include "../support/worker_gate.hpp"

using namespace plait;
using namespace std::chrono_literals;

namespace {

constexpr auto limit = 20s;
constexpr auto soon = 5s;  // what does not hang takes milliseconds

using test::WorkerFolder;
using test::WorkerGate;

int add(int a, int b) { return a + b; }
void pass(const std::string& gate) { test::pass_gate(gate); }

// Of all workers that there are it is known from now on that their tasks are short.
void warm_up(ProcessPoolExecutor& pool, int at_a_time) {
  for (int round = 0; round < 50; ++round) {
    std::vector<Future<int>> futures;
    for (int i = 0; i < at_a_time; ++i) futures.push_back(pool.submit(add, i, i));
    for (auto& future : futures) future.result(limit);
  }
}

TEST_SUITE_BEGIN("executors/process_sharing");

TEST_CASE("sharing: behind a long task nothing waits while another worker could be started") {
  WorkerFolder folder;
  WorkerGate gate(folder / "gate");
  ProcessPoolExecutor pool(2);
  warm_up(pool, 1);
  auto running = pool.submit(pass, gate.path());
  gate.wait_for_arrival();
  CHECK_NOTHROW((void)pool.submit(add, 2, 3).result(soon));
  gate.open();
  CHECK_NOTHROW(running.result(limit));
}

TEST_CASE("sharing: behind a long task nothing waits while another worker has nothing to do") {
  WorkerFolder folder;
  WorkerGate first_gate(folder / "first"), second_gate(folder / "second");
  ProcessPoolExecutor pool(2);
  warm_up(pool, 20);
  REQUIRE(pool.worker_pids().size() == 2);
  auto first = pool.submit(pass, first_gate.path());
  first_gate.wait_for_arrival();
  auto second = pool.submit(pass, second_gate.path());
  second_gate.wait_for_arrival();
  std::vector<Future<int>> others;
  for (int i = 0; i < 4; ++i) others.push_back(pool.submit(add, i, 1));
  second_gate.open();
  for (auto& other : others) CHECK_NOTHROW((void)other.result(soon));
  first_gate.open();
  CHECK_NOTHROW(first.result(limit));
  CHECK_NOTHROW(second.result(limit));
}

// Says that it cannot be read while most of what follows it is not sent yet.
struct Unreadable {
  int value = 0;
  template <class Archive>
  void save(Archive& archive) const {
    archive(value);
  }
  template <class Archive>
  void load(Archive&) {
    throw std::domain_error("cannot be read");
  }
};

TEST_CASE("arguments: those that cannot be read may be followed by large ones") {
  ProcessPoolExecutor pool(1);
  for (int round = 0; round < 3; ++round) {
    auto failed = pool.submit([](Unreadable, const std::string& text) { return text.size(); },
                              Unreadable(), std::string(32UL << 20, 'x'));
    CHECK_THROWS_AS((void)failed.result(limit), SerializationError);
    CHECK_NOTHROW((void)pool.submit(add, 2, 3).result(soon));
  }
  pool.kill_workers();
}

TEST_CASE("request_stop: nobody listens in a worker, and so it says") {
  WorkerFolder folder;
  WorkerGate gate(folder / "gate");
  ProcessPoolExecutor pool(1);
  auto running =
      pool.submit([](std::stop_token, const std::string& path) { pass(path); }, gate.path());
  gate.wait_for_arrival();
  auto queued = pool.submit(add, 2, 3);
  CHECK_FALSE(running.request_stop());
  CHECK(queued.request_stop());
  CHECK(queued.cancelled());
  gate.open();
  CHECK_NOTHROW(running.result(limit));
}

TEST_SUITE_END();

}  // namespace
