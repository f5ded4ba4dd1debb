// max_queue: who waits for room, who runs his job in place, and what makes room.
#include <doctest/doctest.h>

#include <pthread.h>

#include <atomic>
#include <plait/futures.hpp>
#include <ranges>
#include <stdexcept>
#include <thread>
#include <vector>

#include "../support/gate.hpp"
#include "../support/log_capture.hpp"
#include "../support/process_probe.hpp"

namespace plait::test {
namespace {

// A pool of one worker, busy behind a gate, whose queue is full.
struct FullPool {
  Gate gate;
  ThreadPoolExecutor pool{{.max_workers = 1, .max_queue = 2}};
  std::vector<Future<int>> queued{};

  FullPool() {
    pool.submit([this] { gate.pass(); });
    gate.wait_for_arrivals(1);
    for (int i = 0; i < 2; ++i) queued.push_back(pool.submit([] { return 1; }));
  }
  ~FullPool() { gate.open(); }
};

TEST_SUITE_BEGIN("executors/max_queue");

TEST_CASE("submit: from outside waits for room and goes on when a job starts") {
  FullPool full;
  std::atomic<bool> submitted = false;
  Future<int> extra;
  ProbedThread submitter([&] {
    extra = full.pool.submit([] { return 2; });
    submitted = true;
  });
  submitter.wait_until_asleep();
  CHECK_FALSE(submitted);
  CHECK(full.pool.queue_size() == 2);
  full.gate.open();
  submitter.join();
  CHECK(extra.result() == 2);
}

TEST_CASE("submit: waiting for room uses no CPU time") {
  FullPool full;
  Promise<pthread_t> thread;
  ProbedThread submitter([&] {
    thread.set_result(::pthread_self());
    full.pool.submit([] {});
  });
  const auto blocked = thread.get_future().result();
  submitter.wait_until_asleep();
  const auto before = thread_cpu_time(blocked);
  const Promise<void> never;
  static_cast<void>(never.get_future().wait_for(100ms));
  CHECK(thread_cpu_time(blocked) - before < 2ms);
  never.get_future().cancel();
  full.gate.open();
}

TEST_CASE("submit: from an own worker runs the job in place when the queue is full") {
  ThreadPoolExecutor pool({.max_workers = 1, .max_queue = 2});
  const auto outer = pool.submit([&] {
    const auto self = std::this_thread::get_id();
    std::vector<Future<std::thread::id>> inners;
    for (int i = 0; i < 10; ++i) {
      inners.push_back(pool.submit([] { return std::this_thread::get_id(); }));
      CHECK(inners.back().done() == (i >= 2));
    }
    for (const auto& inner : inners) CHECK(inner.result() == self);
  });
  CHECK_NOTHROW(outer.result());
}

TEST_CASE("submit: an error of a job run in place stays in its future") {
  ThreadPoolExecutor pool({.max_workers = 1, .max_queue = 1});
  const auto outer = pool.submit([&] {
    pool.submit([] {});
    const auto failing = pool.submit([]() -> int { throw std::logic_error("in place"); });
    CHECK_THROWS_AS(failing.result(), std::logic_error);
  });
  CHECK_NOTHROW(outer.result());
}

TEST_CASE("submit: from a worker of another pool waits for room as any outsider") {
  FullPool full;
  ThreadPoolExecutor other(1);
  const auto submitting = other.submit([&] {
    return full.pool.submit([] { return std::this_thread::get_id(); }).result() !=
           std::this_thread::get_id();
  });
  CHECK_FALSE(submitting.wait_for(20ms));
  full.gate.open();
  CHECK(submitting.result());
}

TEST_CASE("cancel: makes room for a blocked submit") {
  FullPool full;
  Future<int> extra;
  ProbedThread submitter([&] { extra = full.pool.submit([] { return 3; }); });
  submitter.wait_until_asleep();
  CHECK(full.queued[0].cancel());
  submitter.join();
  CHECK(extra.valid());
  CHECK(full.pool.queue_size() == 2);
}

TEST_CASE("result: helping makes room for a blocked submit") {
  Gate gate;
  ThreadPoolExecutor pool({.max_workers = 1, .max_queue = 1});
  Promise<void> outside_submits;
  const auto outer = pool.submit([&] {
    const auto inner = pool.submit([] { return 1; });
    gate.pass();
    const int value = inner.result();
    outside_submits.get_future().result();
    return value;
  });
  gate.wait_for_arrivals(1);
  Future<int> extra;
  ProbedThread submitter([&] {
    extra = pool.submit([] { return 2; });
    outside_submits.set_result();
  });
  submitter.wait_until_asleep();
  gate.open();
  CHECK(outer.result() == 1);
  submitter.join();
  CHECK(extra.result() == 2);
}

TEST_CASE("shutdown: wakes a blocked submit with RuntimeError") {
  for (const bool cancel_futures : {false, true}) {
    FullPool full;
    ProbedThread submitter([&] {
      const auto text = text_of<RuntimeError>([&] { full.pool.submit([] {}); });
      CHECK(holds(text, "shutdown"));
    });
    submitter.wait_until_asleep();
    full.pool.shutdown({.wait = false, .cancel_futures = cancel_futures});
    submitter.join();
    full.gate.open();
    for (const auto& job : full.queued) {
      job.wait();
      CHECK(job.cancelled() == cancel_futures);
    }
  }
}

TEST_CASE("map: of an outsider goes through a bounded queue however long the input") {
  ThreadPoolExecutor pool({.max_workers = 2, .max_queue = 3});
  int expected = 0;
  for (const int value : pool.map([](int number) { return number; }, std::views::iota(0, 500))) {
    CHECK(value == expected++);
  }
  CHECK(expected == 500);
}

TEST_CASE("submit: many outsiders and nested jobs cannot lock up a bounded pool") {
  std::atomic<int> runs = 0;
  {
    ThreadPoolExecutor pool({.max_workers = 2, .max_queue = 1});
    const auto submit_all = [&] {
      std::vector<Future<void>> outers;
      for (int i = 0; i < 200; ++i) {
        outers.push_back(pool.submit([&] {
          const auto first = pool.submit([&] { ++runs; });
          const auto second = pool.submit([&] { ++runs; });
          first.result();
          second.result();
        }));
      }
      for (const auto& outer : outers) outer.result();
    };
    ProbedThread one(submit_all), two(submit_all), three(submit_all);
  }
  CHECK(runs == 1200);
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
