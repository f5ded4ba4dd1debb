// Many threads submit while the pool is resized and shut down: nothing accepted is lost.
#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <plait/futures.hpp>
#include <thread>
#include <vector>

#include "../support/gate.hpp"
#include "../support/process_probe.hpp"
#include "../support/seeded.hpp"

namespace plait::test {
namespace {

// What became of the jobs of one pool.
struct Books {
  std::atomic<int> accepted = 0, refused = 0, runs = 0, callbacks = 0;
  std::mutex mutex;
  std::vector<Future<void>> futures;

  void submit(ThreadPoolExecutor& pool, int priority) {
    try {
      const auto future = pool.submit({.priority = priority}, [this] { ++runs; });
      ++accepted;
      future.add_done_callback([this](const auto&) { ++callbacks; });
      const std::scoped_lock lock(mutex);
      futures.push_back(future);
    } catch (const RuntimeError&) {
      ++refused;
    }
  }
  // Every accepted job has run or was cancelled, once, and told its callback so.
  bool balance() {
    int cancelled = 0, pending = 0;
    for (const auto& future : futures) {
      cancelled += future.cancelled();
      pending += !future.done();
    }
    CAPTURE(pending);
    CAPTURE(cancelled);
    CAPTURE(runs.load());
    CHECK(callbacks == accepted);
    CHECK(pending == 0);
    return runs + cancelled == accepted;
  }
};

void resize_at_random(ThreadPoolExecutor& pool, Engine engine, const std::atomic<bool>& stop) {
  while (!stop) {
    pool.resize(1 + pick(engine, 6));
    dawdle(engine, 20'000);
  }
}

TEST_SUITE_BEGIN("stress/submit_storm");

TEST_CASE("shutdown: at a random moment of a storm every job is run, cancelled or refused") {
  auto engine = seeded_engine("shutdown in a storm");
  for (int round = 0; round < 200; ++round) {
    Books books;
    const std::size_t max_queue = pick(engine, 3) == 0 ? 1 + pick(engine, 4) : 0;
    ThreadPoolExecutor pool({.max_workers = 1 + pick(engine, 4), .max_queue = max_queue});
    const auto submit_some = [&](Engine own) {
      for (int i = 0; i < 60; ++i) books.submit(pool, static_cast<int>(pick(own, 3)));
    };
    {
      ProbedThread first([&, own = Engine(engine())] { submit_some(own); });
      ProbedThread second([&, own = Engine(engine())] { submit_some(own); });
      dawdle(engine, 200'000);
      pool.shutdown({.wait = pick(engine, 2) == 0, .cancel_futures = pick(engine, 2) == 0});
    }
    pool.shutdown();
    CHECK(books.accepted + books.refused == 120);
    CHECK(books.balance());
  }
}

TEST_CASE("resize: at random in a storm of submits loses no job and ends with the right size") {
  auto engine = seeded_engine("resize in a storm");
  Books books;
  std::atomic<bool> stop = false;
  ThreadPoolExecutor pool(2);
  {
    ProbedThread resizer([&, own = Engine(engine())] { resize_at_random(pool, own, stop); });
    std::vector<std::unique_ptr<ProbedThread>> submitters;
    for (int i = 0; i < 3; ++i) {
      submitters.push_back(std::make_unique<ProbedThread>([&] {
        for (int k = 0; k < 4000; ++k) books.submit(pool, k % 3);
      }));
    }
    for (const auto& submitter : submitters) submitter->join();
    stop = true;
  }
  pool.resize(2);
  CHECK(eventually([&] { return pool.num_threads() <= 2; }));
  pool.shutdown();
  CHECK(books.refused == 0);
  CHECK(books.balance());
}

TEST_CASE("resize: amid submits, the pool can still run as many jobs at once as it has workers") {
  auto engine = seeded_engine("resize amid submits");
  for (int round = 0; round < 300; ++round) {
    Gate gate;
    ThreadPoolExecutor pool(1);
    {
      ProbedThread submitter([&] {
        for (int i = 0; i < 5; ++i) pool.submit([] {});
      });
      dawdle(engine, 20'000);
      pool.resize(3);
    }
    CHECK(eventually([&] { return pool.queue_size() == 0; }));
    for (int i = 0; i < 3; ++i) pool.submit([&] { gate.pass(); });
    const bool all_run = eventually([&] { return gate.arrived() == 3; });
    gate.open();
    REQUIRE(all_run);
  }
}

TEST_CASE("request_stop: amid the start of workers reaches the job it is meant for, or none") {
  auto engine = seeded_engine("request_stop amid starts");
  for (int round = 0; round < 300; ++round) {
    ThreadPoolExecutor pool(3);
    const auto submit_and_stop = [&](Engine own) {
      for (int i = 0; i < 10; ++i) {
        const auto job = pool.submit([engine = Engine(own())]() mutable { dawdle(engine, 500); });
        dawdle(own, 1000);
        job.request_stop();
        job.wait();
      }
    };
    ProbedThread first([&, own = Engine(engine())] { submit_and_stop(own); });
    ProbedThread second([&, own = Engine(engine())] { submit_and_stop(own); });
  }
  CHECK(thread_count() > 0);
}

TEST_CASE("submit: no wake-up is lost between a job and a worker about to sleep") {
  auto engine = seeded_engine("lost wake-ups");
  for (const std::size_t workers : {1, 2, 4}) {
    ThreadPoolExecutor pool(workers);
    for (int i = 0; i < 3000; ++i) {
      pool.submit([] {}).result();
      dawdle(engine, 30'000 >> pick(engine, 15));
    }
  }
}

TEST_CASE("cancel: of random jobs in a storm leaves the queue's count exact") {
  auto engine = seeded_engine("cancel in a storm");
  std::atomic<int> runs = 0;
  int cancelled = 0;
  ThreadPoolExecutor pool({.max_workers = 2, .max_queue = 50});
  for (int i = 0; i < 20'000; ++i) {
    const auto future =
        pool.submit({.priority = static_cast<int>(pick(engine, 2))}, [&] { ++runs; });
    if (pick(engine, 2) == 0) cancelled += future.cancel();
  }
  CHECK(eventually([&] { return runs + cancelled == 20'000; }));
  CHECK(pool.queue_size() == 0);
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
