// InlineExecutor: what it does beside the contract of all executors.
#include <doctest/doctest.h>

#include <atomic>
#include <plait/futures.hpp>
#include <ranges>
#include <thread>
#include <vector>

#include "../support/lifetime_tracked.hpp"
#include "../support/log_capture.hpp"
#include "../support/prepared_futures.hpp"
#include "../support/process_probe.hpp"

namespace plait::test {
namespace {

TEST_SUITE_BEGIN("executors/inline_executor");

TEST_CASE("submit: runs in the caller's thread and is done when it returns") {
  InlineExecutor executor;
  const auto threads_before = thread_count();
  const auto future = executor.submit([] { return std::this_thread::get_id(); });
  CHECK(future.done());
  CHECK(future.result() == std::this_thread::get_id());
  CHECK_FALSE(future.cancel());
  CHECK_FALSE(future.request_stop());
  CHECK(thread_count() == threads_before);
}

TEST_CASE("submit: an error stays in the future") {
  InlineExecutor executor;
  Future<void> future;
  CHECK_NOTHROW(future = executor.submit([] { throw TestError("inside"); }));
  CHECK_THROWS_AS(future.result(), TestError);
}

TEST_CASE("submit: callable and arguments are gone when it returns") {
  LifetimeCounts counts;
  InlineExecutor executor;
  const auto future = executor.submit([](const LifetimeTracked&) {}, LifetimeTracked(counts));
  CHECK(counts.live == 0);
}

TEST_CASE("submit: works from inside of a job, and from many threads") {
  InlineExecutor executor;
  std::atomic<int> runs = 0;
  const auto nested = [&] { executor.submit([&] { ++runs; }).result(); };
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int k = 0; k < 100; ++k) executor.submit(nested);
      });
    }
  }
  CHECK(runs == 400);
}

TEST_CASE("submit: in a worker of a pool runs there, and may wait for that pool") {
  InlineExecutor executor;
  ThreadPoolExecutor pool(1);
  const auto outer = pool.submit([&] {
    const auto queued = pool.submit([] { return std::this_thread::get_id(); });
    const auto in_place = executor.submit([&] { return queued.result(); });
    return in_place.result() == std::this_thread::get_id();
  });
  CHECK(outer.result());
}

TEST_CASE("map: computes every element before it returns, or as it is read with a buffer") {
  InlineExecutor executor;
  int calls = 0;
  const auto count = [&](int number) {
    ++calls;
    return number;
  };
  auto all = executor.map(count, std::views::iota(0, 10));
  CHECK(calls == 10);
  calls = 0;
  auto some = executor.map({.buffersize = 2}, count, std::views::iota(0, 10));
  CHECK(calls == 2);
  CHECK(some.next() == 0);
  CHECK(calls == 3);
}

TEST_CASE("shutdown: from inside of a job lets the job end and refuses the next") {
  InlineExecutor executor;
  const auto closing = executor.submit([&] {
    executor.shutdown();
    return 1;
  });
  CHECK(closing.result() == 1);
  CHECK_THROWS_AS(executor.submit([] {}), RuntimeError);
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
