// resize(): more or fewer workers, idle or under load.
#include <doctest/doctest.h>

#include <atomic>
#include <plait/futures.hpp>
#include <thread>
#include <vector>

#include "../support/gate.hpp"
#include "../support/process_probe.hpp"

namespace plait::test {
namespace {

TEST_SUITE_BEGIN("executors/thread_pool_executor");

TEST_CASE("resize: growing starts workers for the jobs that wait") {
  Gate gate;
  ThreadPoolExecutor pool(1);
  for (int i = 0; i < 6; ++i) pool.submit([&] { gate.pass(); });
  gate.wait_for_arrivals(1);
  pool.resize(4);
  CHECK(pool.max_workers() == 4);
  gate.wait_for_arrivals(4);
  CHECK(pool.num_threads() == 4);
  gate.open();
}

TEST_CASE("resize: growing an idle pool starts nothing") {
  ThreadPoolExecutor pool(1);
  pool.submit([] {}).result();
  pool.resize(10);
  CHECK(pool.num_threads() == 1);
}

TEST_CASE("resize: after growing, jobs one after the other still reuse idle workers") {
  Gate gate;
  ThreadPoolExecutor pool(2);
  const auto first = pool.submit([&] { gate.pass(); });
  const auto second = pool.submit([&] { gate.pass(); });
  gate.wait_for_arrivals(2);
  gate.open();
  first.result();
  second.result();
  pool.resize(8);
  for (int i = 0; i < 100; ++i) pool.submit([] {}).result();
  CHECK(pool.num_threads() == 2);
}

TEST_CASE("resize: shrinking ends idle workers") {
  const auto threads_before = thread_count();
  Gate gate;
  ThreadPoolExecutor pool(6);
  for (int i = 0; i < 6; ++i) pool.submit([&] { gate.pass(); });
  gate.wait_for_arrivals(6);
  gate.open();
  pool.resize(2);
  CHECK(pool.max_workers() == 2);
  CHECK(eventually([&] { return pool.num_threads() <= 2; }));
  CHECK(eventually([&] { return thread_count() <= threads_before + 2; }));
  CHECK(pool.submit([] { return 1; }).result() == 1);
}

TEST_CASE("resize: shrinking lets running jobs end and loses no waiting one") {
  Gate gate;
  std::atomic<int> runs = 0;
  ThreadPoolExecutor pool(4);
  std::vector<Future<void>> jobs;
  for (int i = 0; i < 40; ++i) {
    jobs.push_back(pool.submit([&] {
      gate.pass();
      ++runs;
    }));
  }
  gate.wait_for_arrivals(4);
  pool.resize(1);
  gate.open();
  for (const auto& job : jobs) CHECK_NOTHROW(job.result());
  CHECK(runs == 40);
  CHECK(eventually([&] { return pool.num_threads() == 1; }));
}

TEST_CASE("resize: after shrinking, no more jobs run at once than allowed") {
  std::atomic<int> running = 0, most = 0;
  ThreadPoolExecutor pool(4);
  pool.resize(2);
  std::vector<Future<void>> jobs;
  for (int i = 0; i < 200; ++i) {
    jobs.push_back(pool.submit([&] {
      const int now = ++running;
      for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
      }
      std::this_thread::yield();
      --running;
    }));
  }
  wait(jobs);
  CHECK(most <= 2);
}

TEST_CASE("resize: a worker that is shrunk away while it waits for a job still finishes") {
  Gate gate;
  ThreadPoolExecutor pool(2);
  const auto slow = pool.submit([&] {
    gate.pass();
    return 1;
  });
  gate.wait_for_arrivals(1);
  const auto waiter = pool.submit([&] { return slow.result() + 1; });
  CHECK_FALSE(waiter.wait_for(5ms));
  pool.resize(1);
  gate.open();
  CHECK(waiter.result() == 2);
}

TEST_CASE("resize: may be called by a job") {
  ThreadPoolExecutor pool(1);
  CHECK(pool.submit([&] {
              pool.resize(3);
              return pool.max_workers();
            })
            .result() == 3);
  pool.submit([&] { pool.resize(1); }).result();
  CHECK(pool.submit([] { return 1; }).result() == 1);
}

TEST_CASE("resize: up and down under load while others submit loses nothing") {
  std::atomic<int> runs = 0;
  std::atomic<bool> stop = false;
  ThreadPoolExecutor pool(2);
  ProbedThread resizer([&] {
    for (std::size_t size = 1; !stop; size = size % 5 + 1) pool.resize(size);
  });
  std::vector<Future<void>> jobs;
  for (int i = 0; i < 3000; ++i) jobs.push_back(pool.submit([&] { ++runs; }));
  for (const auto& job : jobs) job.result();
  stop = true;
  resizer.join();
  CHECK(runs == 3000);
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
