// Stress: cancel, kill, timeout, crash and completion of a process pool's tasks at the same time,
// and submitting while its manager is held up.
#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <deque>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <plait/executors/process_pool_executor.hpp>

#include "../support/gate.hpp"
#include "../support/log_capture.hpp"
#include "../support/process_probe.hpp"
#include "../support/seeded.hpp"
#include "../support/worker_gate.hpp"

using namespace plait;
using namespace std::chrono_literals;

namespace {

constexpr auto limit = 20s;

std::uint64_t square(std::uint64_t n) { return n * n; }
std::uint64_t dawdle_and_square(std::uint64_t n, std::uint64_t work) {
  for (std::uint64_t i = 0; i < work; ++i) (void)::getppid();
  return n * n;
}
std::uint64_t crash(std::uint64_t n) {
  std::signal(SIGSEGV, SIG_DFL);  // a sanitizer's handler would write a report each time
  std::raise(SIGSEGV);
  return n;
}

// What is done to a task, and so which outcomes it may have.
struct Fate {
  std::uint64_t number = 0;
  bool crashes = false, has_timeout = false, cancelled = false, killed = false;
  Future<std::uint64_t> future{};
  std::shared_ptr<std::atomic<int>> ends = std::make_shared<std::atomic<int>>(0);
};

// Empty where the task has ended in a way that it could; else what is wrong.
std::string judge(const Fate& fate) {
  try {
    if (fate.future.result(limit) != square(fate.number)) return "the value of another task";
    if (fate.crashes) return "a value of what crashes";
    if (fate.cancelled) return "a value of what was cancelled";
  } catch (const CancelledError&) {
    if (!fate.cancelled && !fate.killed) return "cancelled by nobody";
  } catch (const WorkerDied& error) {
    if (!fate.crashes && !fate.killed) return std::string("died by itself: ") + error.what();
  } catch (const TimeoutError& error) {
    if (!fate.has_timeout) return std::string("a timeout that it does not have: ") + error.what();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

void submit_one(ProcessPoolExecutor& pool, test::Engine& engine, Fate& fate) {
  const auto kind = test::pick(engine, 200);
  const auto work = static_cast<std::uint64_t>(test::pick(engine, 500));
  if (kind == 0) {
    fate.crashes = true;
    fate.future = pool.submit(crash, fate.number);
  } else if (kind < 20) {
    fate.has_timeout = true;
    const auto timeout = std::chrono::microseconds(20 + test::pick(engine, 2000));
    fate.future = pool.submit({.timeout = timeout}, dawdle_and_square, fate.number, work);
  } else {
    fate.future = pool.submit(dawdle_and_square, fate.number, work);
  }
  fate.future.add_done_callback([ends = fate.ends](auto&&) { ++*ends; });
}

TEST_SUITE_BEGIN("stress/process_races");

TEST_CASE("races: 20,000 tasks end once each, with what is theirs, whatever is done to them") {
  auto engine = test::seeded_engine("process races");
  constexpr std::size_t at_a_time = 200;
  ProcessPoolExecutor pool(2);
  std::deque<Fate> fates;
  int wrong = 0;
  const auto settle = [&] {
    const auto text = judge(fates.front());
    CAPTURE(fates.front().number);
    if (!text.empty() && ++wrong < 10) FAIL_CHECK(text);
    CHECK(test::eventually([&] { return *fates.front().ends == 1; }));
    fates.pop_front();
  };
  for (std::uint64_t number = 0; number < 20'000; ++number) {
    fates.push_back({.number = number});
    submit_one(pool, engine, fates.back());
    const auto back = test::pick(engine, std::min<std::size_t>(4, fates.size()));
    Fate& victim = fates[fates.size() - 1 - back];
    const auto what = test::pick(engine, 100);
    if (what < 10) victim.cancelled = victim.future.cancel() || victim.cancelled;
    if (what == 50) victim.killed = pool.kill_task(victim.future) || victim.killed;
    if (fates.size() >= at_a_time) settle();
  }
  while (!fates.empty()) settle();
  CHECK(wrong == 0);
}

TEST_CASE("races: tasks that are cancelled just when a worker gets them") {
  auto engine = test::seeded_engine("cancel against dispatch");
  ProcessPoolExecutor pool(1);
  pool.submit(square, 2).result(limit);
  for (std::uint64_t i = 0; i < 30'000; ++i) {
    auto future = pool.submit(square, i);
    test::dawdle(engine, 20'000);
    if (!future.cancel()) CHECK(future.result(limit) == square(i));
  }
}

TEST_CASE("races: pools that are ended in the middle of anything") {
  auto engine = test::seeded_engine("ends of pools");
  const test::LogCapture quiet;
  for (int round = 0; round < 100; ++round) {
    std::vector<Future<std::uint64_t>> futures;
    {
      ProcessPoolExecutor pool(
          {.max_workers = 1 + test::pick(engine, 3), .max_tasks_per_child = test::pick(engine, 3)});
      const auto tasks = test::pick(engine, 10);
      for (std::uint64_t i = 0; i < tasks; ++i) {
        futures.push_back(test::pick(engine, 10) == 0
                              ? pool.submit({.retries = 1}, crash, i)
                              : pool.submit(dawdle_and_square, i, test::pick(engine, 5000)));
      }
      test::dawdle(engine, 10'000'000);  // so long that some workers have started
      const auto how = test::pick(engine, 5);
      if (how == 0) pool.kill_workers();
      if (how == 1) pool.terminate_workers();
      if (how == 2) pool.shutdown({.wait = false, .cancel_futures = true});
      if (how == 3) {
        std::thread other([&] { pool.shutdown(); });
        pool.kill_workers();
        other.join();
      }
    }
    for (const auto& future : futures) CHECK(future.done());
    CHECK_FALSE(test::has_children());
  }
}

TEST_CASE("submit: 200,000 from 8 threads never block while the manager is held up") {
  constexpr int threads = 8;
  constexpr std::uint64_t each = 25'000;
  test::Gate gate;
  ProcessPoolExecutor pool(2);
  test::WorkerFolder folder;
  test::WorkerGate worker_gate(folder / "gate");
  auto first = pool.submit(test::pass_gate, worker_gate.path());
  first.add_done_callback([&](auto&&) { gate.pass(); });
  worker_gate.wait_for_arrival();
  worker_gate.open();
  gate.wait_for_arrivals(1);
  std::vector<std::vector<Future<std::uint64_t>>> futures(threads);
  std::vector<std::thread> submitters;
  for (auto& own : futures) {
    submitters.emplace_back([&pool, &own] {
      for (std::uint64_t i = 0; i < each; ++i) own.push_back(pool.submit(square, i));
    });
  }
  for (auto& submitter : submitters) submitter.join();
  CHECK_FALSE(futures.front().front().done());
  gate.open();
  std::uint64_t wrong = 0;
  for (auto& own : futures) {
    for (std::uint64_t i = 0; i < each; ++i) wrong += own[i].result(limit) != square(i);
  }
  CHECK(wrong == 0);
}

TEST_SUITE_END();

}  // namespace
