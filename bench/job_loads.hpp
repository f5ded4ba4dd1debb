// The loads that every pool of jobs with futures gets, written once for ours and for the peers.
//
// A Pool here is a class of one contender with a constructor that takes the number of workers,
// `submit(callable)` that returns its future of int, and a static `read(future&)` that returns the
// int.
#pragma once

#include <time.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <latch>
#include <numeric>
#include <semaphore>
#include <thread>
#include <utility>
#include <vector>

#include "harness.hpp"
#include "job_contender.hpp"

namespace bench {

/// Submits jobs 0 to `count` - 1 and reads every result; the futures die inside, as part of the
/// cost.
template <class Pool>
void flood_once(Pool& pool, std::size_t count) {
  std::vector<decltype(pool.submit([] { return 0; }))> futures;
  futures.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    futures.push_back(pool.submit([value = static_cast<int>(i & 1)] { return value; }));
  }
  std::size_t sum = 0;
  for (auto& future : futures) sum += static_cast<std::size_t>(Pool::read(future));
  require(sum == count / 2, "sum of the jobs' results");
}

/// Nanoseconds a job, where `load.submitters` threads share the jobs.
template <class Pool>
double flood(const FloodLoad& load) {
  Pool pool(load.workers);
  flood_once(pool, load.jobs / 20);
  if (load.submitters == 1) {
    return nanoseconds_of([&] { flood_once(pool, load.jobs); }) / static_cast<double>(load.jobs);
  }
  std::latch ready(load.submitters + 1);
  std::vector<std::thread> submitters;
  for (unsigned i = 0; i < load.submitters; ++i) {
    submitters.emplace_back([&] {
      ready.arrive_and_wait();
      flood_once(pool, load.jobs / load.submitters);
    });
  }
  const double elapsed = nanoseconds_of([&] {
    ready.arrive_and_wait();
    for (std::thread& submitter : submitters) submitter.join();
  });
  return elapsed / static_cast<double>(load.jobs);
}

/// Nanoseconds from submit() to the result, one job at a time; the pauses between are not counted.
template <class Pool>
double round_trip(const RoundTripLoad& load) {
  Pool pool(load.workers);
  const auto one = [&pool] {
    auto future = pool.submit([] { return 1; });
    require(Pool::read(future) == 1, "round trip");
  };
  for (std::size_t i = 0; i < load.jobs / 10 + 1; ++i) one();
  if (load.pause == load.pause.zero()) {
    const auto all = [&] {
      for (std::size_t i = 0; i < load.jobs; ++i) one();
    };
    return nanoseconds_of(all) / static_cast<double>(load.jobs);
  }
  double elapsed = 0.0;
  for (std::size_t i = 0; i < load.jobs; ++i) {
    std::this_thread::sleep_for(load.pause);
    elapsed += nanoseconds_of(one);
  }
  return elapsed / static_cast<double>(load.jobs);
}

/// CPU time that this process has used so far, all threads together.
inline std::chrono::nanoseconds process_cpu_time() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

/// Percent of one CPU that a pool uses that has nothing to do.
template <class Pool>
double idle_cpu_percent(const IdleLoad& load) {
  Pool pool(load.workers);
  std::latch all_started(load.workers);
  std::vector<decltype(pool.submit([] { return 0; }))> futures;
  for (unsigned i = 0; i < load.workers; ++i) {
    futures.push_back(pool.submit([&all_started] {
      all_started.arrive_and_wait();  // forces the pool to have all its threads
      return 0;
    }));
  }
  for (auto& future : futures) Pool::read(future);
  const auto before = process_cpu_time();
  std::this_thread::sleep_for(load.watched);
  const std::chrono::duration<double> used = process_cpu_time() - before;
  return 100.0 * used.count() / load.watched.count();
}

/// What `load.jobs` waiting jobs and their futures take, divided by their number.
template <class Pool>
HeapUse memory_per_job(const MemoryLoad& load) {
  Pool pool(1);
  std::binary_semaphore started(0);
  std::binary_semaphore release(0);
  auto blocker = pool.submit([&] {
    started.release();
    release.acquire();
    return 0;
  });
  started.acquire();
  const HeapUse before = load.probe();
  std::vector<decltype(pool.submit([] { return 0; }))> futures;
  futures.reserve(load.jobs);
  for (std::size_t i = 0; i < load.jobs; ++i) {
    futures.push_back(pool.submit([value = static_cast<int>(i)] { return value; }));
  }
  const HeapUse after = load.probe();
  release.release();
  Pool::read(blocker);
  for (std::size_t i = 0; i < load.jobs; ++i) {
    require(Pool::read(futures[i]) == static_cast<int>(i), "a waiting job's result");
  }
  const auto per_job = [&](double now, double then) {
    return (now - then) / static_cast<double>(load.jobs);
  };
  return {per_job(after.heap, before.heap), per_job(after.requested, before.requested),
          per_job(after.allocations, before.allocations)};
}

/// All loads of one pool under one name.
template <class Pool>
JobContender job_contender(const char* name) {
  return {name, &flood<Pool>, &round_trip<Pool>, &idle_cpu_percent<Pool>, &memory_per_job<Pool>};
}

}  // namespace bench
