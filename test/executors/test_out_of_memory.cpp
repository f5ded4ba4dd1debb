// Every allocation on the way of a submit fails once: the caller hears of it and nothing is lost.
#include <doctest/doctest.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>
#include <plait/futures.hpp>
#include <ranges>
#include <vector>

#include "../support/gate.hpp"
#include "../support/lifetime_tracked.hpp"
#include "../support/process_probe.hpp"

namespace {

// How many more allocations of this thread succeed; negative: all of them.
thread_local int allocations_left = -1;

void* allocate(std::size_t size) {
  if (allocations_left == 0) throw std::bad_alloc();
  if (allocations_left > 0) --allocations_left;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}

// Repeats the body with the first, the second... allocation failing, until it succeeds; counts the
// failures.
template <class Body>
int failures_until_success(Body body) {
  for (int failures = 0;; ++failures) {
    allocations_left = failures;
    try {
      body();
      allocations_left = -1;
      return failures;
    } catch (const std::bad_alloc&) {
      allocations_left = -1;
    }
  }
}

}  // namespace

// Not inlined, as GCC would warn of a free() that it does not know to belong to this operator new.
[[gnu::noinline]] void* operator new(std::size_t size) { return allocate(size); }
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace plait::test {
namespace {

TEST_SUITE_BEGIN("executors/out_of_memory");

TEST_CASE("submit: throws bad_alloc, drops the callable and takes the next job") {
  LifetimeCounts counts;
  std::atomic<int> runs = 0;
  ThreadPoolExecutor pool(2);
  pool.submit([] {}).result();
  for (int round = 0; round < 100; ++round) {
    const int failures = failures_until_success(
        [&] { pool.submit([&, held = LifetimeTracked(counts)] { ++runs; }); });
    if (round == 0) CHECK(failures >= 1);
  }
  pool.shutdown();
  CHECK(runs == 100);
  CHECK(counts.live == 0);
}

TEST_CASE("submit: the first job survives failing allocations while a worker is started") {
  for (int round = 0; round < 10; ++round) {
    std::atomic<int> runs = 0;
    ThreadPoolExecutor pool(1);
    Future<void> future;
    failures_until_success([&] { future = pool.submit([&] { ++runs; }); });
    CHECK_NOTHROW(future.result());
    pool.shutdown();
    CHECK(runs == 1);
  }
}

TEST_CASE("submit: with a priority and a name throws bad_alloc and loses nothing") {
  std::atomic<int> runs = 0;
  ThreadPoolExecutor pool(1);
  for (int i = 0; i < 20; ++i) {
    failures_until_success([&] {
      pool.submit({.name = "a name that is longer than any small buffer", .priority = i},
                  [&] { ++runs; });
    });
  }
  pool.shutdown();
  CHECK(runs == 20);
}

TEST_CASE("submit: into a bounded queue gives its place back when an allocation fails") {
  Gate gate;
  std::atomic<int> runs = 0;
  ThreadPoolExecutor pool({.max_workers = 1, .max_queue = 2});
  pool.submit([&] { gate.pass(); });
  gate.wait_for_arrivals(1);
  for (int i = 0; i < 2; ++i) {
    failures_until_success([&] { pool.submit({.priority = 5 + i}, [&] { ++runs; }); });
  }
  CHECK(pool.queue_size() == 2);
  gate.open();
  pool.shutdown();
  CHECK(runs == 2);
}

TEST_CASE("map, wait, as_completed, add_done_callback: throw bad_alloc and can be repeated") {
  ThreadPoolExecutor pool(2);
  int sum = 0;
  failures_until_success([&] {
    sum = 0;
    for (const int value : pool.map([](int number) { return number; }, std::views::iota(0, 5))) {
      sum += value;
    }
  });
  CHECK(sum == 10);
  const std::vector futures{pool.submit([] { return 1; }), pool.submit([] { return 2; })};
  std::size_t done = 0;
  failures_until_success([&] { done = wait(futures).done.size(); });
  CHECK(done == 2);
  failures_until_success([&] {
    sum = 0;
    for (const auto& future : as_completed(futures)) sum += future.result();
  });
  CHECK(sum == 3);
  Promise<int> promise;
  int calls = 0;
  failures_until_success(
      [&] { promise.get_future().add_done_callback([&](const auto&) { ++calls; }); });
  promise.set_result(1);
  CHECK(calls == 1);
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
