// Bounded queues and lazy maps under random load: no lock-up, the bound holds, the order holds.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <plait/futures.hpp>
#include <ranges>
#include <string_view>
#include <vector>

#include "../support/prepared_futures.hpp"
#include "../support/process_probe.hpp"
#include "../support/seeded.hpp"

namespace plait::test {
namespace {

// Submits a job that submits jobs that submit jobs; counts them all.
void submit_tree(ThreadPoolExecutor& pool, std::atomic<int>& runs, int depth) {
  ++runs;
  if (depth == 0) return;
  std::vector<Future<void>> children;
  for (int i = 0; i < 3; ++i) {
    children.push_back(pool.submit([&pool, &runs, depth] { submit_tree(pool, runs, depth - 1); }));
  }
  if (depth % 2 == 0) wait(children);
}

MapOptions random_options(Engine& engine) {
  MapOptions options;
  options.chunksize = pick(engine, 4) == 0 ? auto_chunksize : 1 + pick(engine, 9);
  if (pick(engine, 2) == 0) options.buffersize = 1 + pick(engine, 12);
  if (pick(engine, 4) == 0) options.timeout = std::chrono::microseconds(pick(engine, 300));
  return options;
}

// Reads up to limit elements of a map in which every seventh fails; false where one is wrong.
bool reads_right(MapResults<int>& results, int limit, bool may_time_out) {
  int expected = 0;
  try {
    for (auto position = results.begin(); position != results.end(); ++position, ++expected) {
      if (expected == limit) return true;
      try {
        if (*position != expected || expected % 7 == 6) return false;
      } catch (const TestError&) {
        if (expected % 7 != 6) return false;
      }
    }
  } catch (const TimeoutError&) {
    return may_time_out;
  }
  return expected == 100;
}

TEST_SUITE_BEGIN("stress/bounded_work");

TEST_CASE("submit: trees of jobs from inside and outside never lock up a bounded pool") {
  auto engine = seeded_engine("bounded trees");
  for (int round = 0; round < 60; ++round) {
    std::atomic<int> runs = 0;
    ThreadPoolExecutor pool({.max_workers = 1 + pick(engine, 4), .max_queue = 1 + pick(engine, 4)});
    const auto submit_some = [&] {
      for (int i = 0; i < 5; ++i) pool.submit([&] { submit_tree(pool, runs, 3); }).result();
    };
    {
      ProbedThread first(submit_some), second(submit_some), third(submit_some);
    }
    CHECK(eventually([&] { return runs == 15 * (1 + 3 + 9 + 27); }));
  }
}

TEST_CASE("max_queue: never more jobs wait than it allows") {
  for (const std::size_t bound : {1, 2, 7}) {
    constexpr int workers = 2;
    std::atomic<int> started = 0, accepted = 0, most = 0;
    ThreadPoolExecutor pool({.max_workers = workers, .max_queue = bound});
    const auto submit_some = [&] {
      for (int i = 0; i < 2000; ++i) {
        pool.submit([&] { ++started; });
        const int waiting = ++accepted - started;
        for (int seen = most; seen < waiting && !most.compare_exchange_weak(seen, waiting);) {
        }
      }
    };
    {
      ProbedThread first(submit_some), second(submit_some);
    }
    pool.shutdown();
    CHECK(started == 4000);
    CHECK(most <= static_cast<int>(bound) + workers);  // a worker may be about to count its job
  }
}

TEST_CASE("map: with random chunks, buffers, timeouts and early ends gives the right elements") {
  auto engine = seeded_engine("maps");
  set_log_handler([](LogLevel, std::string_view) {});  // errors that an early end leaves unread
  ThreadPoolExecutor pool(3);
  const auto every_seventh_fails = [](int number) {
    if (number % 7 == 6) throw TestError("seventh");
    return number;
  };
  for (int round = 0; round < 2000; ++round) {
    const auto options = random_options(engine);
    const int limit = pick(engine, 2) == 0 ? 100 : static_cast<int>(pick(engine, 100));
    auto results = pool.map(options, every_seventh_fails, std::views::iota(0, 100));
    CHECK(reads_right(results, limit, options.timeout.has_value()));
  }
  pool.shutdown();
  set_log_handler({});
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
