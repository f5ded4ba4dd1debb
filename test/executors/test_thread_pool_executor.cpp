// ThreadPoolExecutor: when workers start, what they are called, in which order they take jobs, bad
// input.
#include <doctest/doctest.h>

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <limits>
#include <memory>
#include <plait/futures.hpp>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "../support/gate.hpp"
#include "../support/log_capture.hpp"
#include "../support/prepared_futures.hpp"
#include "../support/process_probe.hpp"

namespace plait::test {
namespace {

TEST_SUITE_BEGIN("executors/thread_pool_executor");

TEST_CASE("submit: one job after the other keeps to one worker") {
  ThreadPoolExecutor pool(8);
  CHECK(pool.num_threads() == 0);
  std::set<std::thread::id> threads;
  for (int i = 0; i < 300; ++i) {
    threads.insert(pool.submit([] { return std::this_thread::get_id(); }).result());
  }
  CHECK(threads.size() == 1);
  CHECK(pool.num_threads() == 1);
}

TEST_CASE("submit: starts one worker for each job while all others are busy") {
  Gate gate;
  ThreadPoolExecutor pool(4);
  for (int i = 1; i <= 6; ++i) {
    pool.submit([&] { gate.pass(); });
    CHECK(pool.num_threads() == static_cast<std::size_t>(std::min(i, 4)));
    gate.wait_for_arrivals(std::min(i, 4));
  }
  CHECK(pool.queue_size() == 2);
  gate.open();
}

TEST_CASE("submit: jobs from outside start in the order of their submission") {
  std::vector<int> order, expected;
  {
    ThreadPoolExecutor pool(1);
    for (int i = 0; i < 2000; ++i) {
      pool.submit([&, i] { order.push_back(i); });
      expected.push_back(i);
    }
  }
  CHECK(order == expected);
}

TEST_CASE("queue_size: counts jobs that wait, without the cancelled and the running") {
  Gate gate;
  ThreadPoolExecutor pool(1);
  CHECK(pool.queue_size() == 0);
  std::vector<Future<void>> futures;
  for (int i = 0; i < 5; ++i) futures.push_back(pool.submit([&] { gate.pass(); }));
  gate.wait_for_arrivals(1);
  CHECK(pool.queue_size() == 4);
  CHECK(futures[2].cancel());
  CHECK(pool.queue_size() == 3);
  gate.open();
  pool.shutdown();
  CHECK(pool.queue_size() == 0);
}

TEST_CASE("thread_name_prefix: the kernel shows it with the worker's number") {
  Gate gate;
  ThreadPoolExecutor pool({.max_workers = 2, .thread_name_prefix = "io"});
  for (int i = 0; i < 2; ++i) pool.submit([&] { gate.pass(); });
  gate.wait_for_arrivals(2);
  const auto names = thread_names();
  for (const auto* name : {"io_0", "io_1"}) CHECK(std::ranges::count(names, name) == 1);
  gate.open();
}

TEST_CASE("thread_name_prefix: a long one still leaves every worker a name of its own") {
  Gate gate;
  ThreadPoolExecutor pool({.max_workers = 12, .thread_name_prefix = "a-prefix-of-many-letters"});
  std::vector<Future<std::string>> jobs;
  for (int i = 0; i < 12; ++i) {
    jobs.push_back(pool.submit([&] {
      gate.pass();
      return this_thread_name();
    }));
  }
  gate.wait_for_arrivals(12);
  gate.open();
  std::set<std::string> names;
  for (const auto& job : jobs) names.insert(job.result());
  CHECK(names.size() == 12);
}

TEST_CASE("stack_size: gives each worker at least that much") {
  constexpr std::size_t wanted = 32 << 20;
  ThreadPoolExecutor pool({.max_workers = 1, .stack_size = wanted});
  const auto size = pool.submit([] {
    pthread_attr_t attributes;
    std::size_t bytes = 0;
    ::pthread_getattr_np(::pthread_self(), &attributes);
    ::pthread_attr_getstacksize(&attributes, &bytes);
    ::pthread_attr_destroy(&attributes);
    return bytes;
  });
  CHECK(size.result() >= wanted);
}

TEST_CASE("stack_size: one that no thread can have makes a clear error and loses no job") {
  ThreadPoolExecutor pool({.max_workers = 2, .stack_size = std::size_t{1} << 60});
  const auto text = text_of<std::exception>([&] { pool.submit([] {}); });
  CAPTURE(text);
  CHECK(text.size() > 20);
  CHECK(pool.num_threads() == 0);
  CHECK(pool.queue_size() == 0);
}

TEST_CASE("ThreadPoolExecutor: bad input is refused at the call, with advice") {
  constexpr auto absurd = std::numeric_limits<std::size_t>::max();
  ThreadPoolExecutor pool(1);
  const std::vector<int> inputs{1};
  const auto identity = [](int number) { return number; };
  struct Row {
    const char* what;
    std::function<void()> call;
  };
  const Row rows[] = {
      {"-1 workers", [&] { ThreadPoolExecutor bad(absurd); }},
      {"-1 workers as an option", [&] { ThreadPoolExecutor bad({.max_workers = absurd}); }},
      {"-2 workers", [&] { ThreadPoolExecutor bad(absurd - 1); }},
      {"resize to -1", [&] { pool.resize(absurd); }},
      {"resize to 0", [&] { pool.resize(0); }},
      {"empty function", [&] { pool.submit(std::function<void()>()); }},
      {"null pointer", [&] { pool.submit(static_cast<void (*)()>(nullptr)); }},
      {"null in map", [&] { pool.map(static_cast<int (*)(int)>(nullptr), inputs); }},
      {"empty function in map", [&] { pool.map(std::function<int(int)>(), inputs); }},
      {"chunksize 0", [&] { pool.map({.chunksize = 0}, identity, inputs); }},
      {"buffersize 0", [&] { pool.map({.buffersize = 0}, identity, inputs); }},
      {"timeout of a job", [&] { pool.submit({.timeout = 1s}, [] {}); }},
      {"retries of a job", [&] { pool.submit({.retries = 2}, [] {}); }},
  };
  for (const auto& row : rows) {
    CAPTURE(row.what);
    const auto text = text_of<std::invalid_argument>(row.call);
    CAPTURE(text);
    CHECK(text.size() > 20);
  }
  CHECK(pool.queue_size() == 0);
  CHECK(pool.submit(identity, 4).result() == 4);
}

TEST_CASE("ThreadPoolExecutor: many are made and destroyed unused without a thread") {
  const auto threads_before = thread_count();
  for (int i = 0; i < 1000; ++i) {
    const ThreadPoolExecutor pool(4);
    if (i % 100 == 0) CHECK(thread_count() == threads_before);
  }
}

TEST_CASE("ThreadPoolExecutor: a job may make, use and destroy a pool of its own") {
  ThreadPoolExecutor outer(2);
  std::vector<Future<int>> jobs;
  for (int i = 0; i < 8; ++i) {
    jobs.push_back(outer.submit([i] {
      ThreadPoolExecutor inner(2);
      const auto first = inner.submit([i] { return i; });
      return first.result() + inner.submit([] { return 1; }).result();
    }));
  }
  for (int i = 0; i < 8; ++i) CHECK(jobs[static_cast<std::size_t>(i)].result() == i + 1);
}

TEST_CASE("ThreadPoolExecutor: an idle one uses no CPU time") {
  Gate gate;
  ThreadPoolExecutor pool(8);
  std::vector<Future<pthread_t>> jobs;
  for (int i = 0; i < 8; ++i) {
    jobs.push_back(pool.submit([&] {
      gate.pass();
      return ::pthread_self();
    }));
  }
  gate.wait_for_arrivals(8);
  gate.open();
  const auto used = [&] {
    std::chrono::nanoseconds sum{0};
    for (const auto& job : jobs) sum += thread_cpu_time(job.result());
    return sum;
  };
  const Promise<void> never;
  static_cast<void>(never.get_future().wait_for(20ms));
  const auto before = used();
  static_cast<void>(never.get_future().wait_for(200ms));
  CHECK(used() - before < 2ms);
  never.get_future().cancel();
}

TEST_CASE("submit: many threads submit at once and every job runs once") {
  std::atomic<int> runs = 0;
  {
    ThreadPoolExecutor pool(3);
    std::vector<std::thread> submitters;
    for (int i = 0; i < 4; ++i) {
      submitters.emplace_back([&] {
        for (int k = 0; k < 2000; ++k) pool.submit([&] { ++runs; });
      });
    }
    for (auto& submitter : submitters) submitter.join();
  }
  CHECK(runs == 8000);
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
