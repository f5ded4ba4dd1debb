// Coroutines and jobs that cross between threads, pools and a loop which is cancelled, stopped or
// closed meanwhile.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <plait/aio.hpp>
#include <plait/futures.hpp>
#include <thread>
#include <utility>
#include <vector>

#include "../support/lifetime_tracked.hpp"
#include "../support/log_capture.hpp"
#include "../support/loop_probe.hpp"
#include "../support/meeting.hpp"
#include "../support/process_probe.hpp"
#include "../support/seeded.hpp"

namespace plait::test {
namespace {

constexpr int rounds = 1000;

Coroutine<int> yield_times(int count, LifetimeTracked) {
  for (int i = 0; i < count; ++i) co_await aio::yield();
  co_return count;
}

// What a thread that sends coroutines to a loop has seen of them.
struct Sent {
  std::vector<Future<int>> futures;
  int refused = 0;

  void send(aio::EventLoop& loop, Engine& engine, LifetimeCounts& counts) {
    try {
      const int count = static_cast<int>(pick(engine, 5));
      auto future =
          aio::run_coroutine_threadsafe(yield_times(count, LifetimeTracked(counts)), loop);
      dawdle(engine, 500);
      if (pick(engine, 3) == 0) future.cancel();
      futures.push_back(std::move(future));
    } catch (const RuntimeError&) {
      ++refused;
    }
  }
  int cancelled() const {
    int count = 0;
    for (const auto& future : futures) {
      CHECK(future.done());
      count += future.cancelled();
    }
    return count;
  }
};

TEST_SUITE_BEGIN("stress/bridge_races");

TEST_CASE("run_coroutine_threadsafe: racing with cancel() and close(), every task ends once") {
  auto engine = seeded_engine("send and close");
  const LogCapture log;  // of pending tasks
  LifetimeCounts counts;
  int refused = 0, cancelled = 0;
  for (int round = 0; round < rounds; ++round) {
    Meeting meeting;
    Sent sent;
    auto loop = std::make_unique<aio::EventLoop>();
    if (round % 2 == 0) loop->context();
    std::thread other([&, own = Engine(engine())]() mutable {
      meeting.arrive();
      for (int i = 0; i < 10; ++i) sent.send(*loop, own, counts);
    });
    meeting.arrive();
    for (auto left = pick(engine, 6); left > 0; --left) {
      dawdle(engine);
      run_once(*loop);
    }
    loop->close();
    other.join();
    loop.reset();
    refused += sent.refused;
    cancelled += sent.cancelled();
    CHECK(counts.live == 0);
  }
  MESSAGE("refused: " << refused << ", cancelled: " << cancelled);
}

TEST_CASE("run_coroutine_threadsafe: blocking threads get their results from a restless loop") {
  auto engine = seeded_engine("block and stop");
  LifetimeCounts counts;
  for (const bool with_selector : {false, true}) {
    aio::EventLoop loop;
    if (with_selector) loop.context();
    std::atomic<int> senders{3};
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([&, own = Engine(engine())]() mutable {
        for (int round = 0; round < rounds; ++round) {
          const int count = static_cast<int>(pick(own, 4));
          auto future =
              aio::run_coroutine_threadsafe(yield_times(count, LifetimeTracked(counts)), loop);
          if (pick(own, 2) == 0) dawdle(own, 40000);
          CHECK(std::move(future).result() == count);
        }
        --senders;
        loop.call_soon_threadsafe([&] { loop.stop(); });
      });
    }
    while (senders > 0) {
      loop.call_later(std::chrono::microseconds(pick(engine, 200)), [&] { loop.stop(); });
      loop.run_forever();
    }
    for (auto& thread : threads) thread.join();
  }
  CHECK(counts.live == 0);
}

TEST_CASE("run_coroutine_threadsafe: by who made the loop, while another thread begins to run it") {
  auto engine = seeded_engine("begin to run");
  LifetimeCounts counts;
  int cancelled = 0;
  for (int round = 0; round < rounds; ++round) {
    Meeting meeting;
    aio::EventLoop loop;
    std::thread runner([&, own = Engine(engine())]() mutable {
      meeting.arrive();
      dawdle(own);
      loop.run_forever();
    });
    meeting.arrive();
    dawdle(engine);
    auto future = aio::run_coroutine_threadsafe(yield_times(3, LifetimeTracked(counts)), loop);
    if (round % 2 == 0) future.cancel();
    future.wait();
    cancelled += future.cancelled();
    loop.call_soon_threadsafe([&] { loop.stop(); });
    runner.join();
    CHECK((future.cancelled() || future.result() == 3));
  }
  CHECK(counts.live == 0);
  MESSAGE("cancelled: " << cancelled);
}

Coroutine<int> await_with(Future<int> future, LifetimeTracked) {
  co_return co_await aio::wrap_future(std::move(future));
}

TEST_CASE("wrap_future: while a worker ends the job, a cancellation or close() comes in between") {
  auto engine = seeded_engine("wrap and close");
  const LogCapture log;  // of pending tasks
  ThreadPoolExecutor pool(1);
  LifetimeCounts counts;
  for (int round = 0; round < rounds; ++round) {
    Meeting meeting;
    auto loop = std::make_unique<aio::EventLoop>();
    const auto job = pool.submit([&, round, own = Engine(engine())]() mutable {
      meeting.arrive();
      dawdle(own);
      return round;
    });
    auto task = loop->create_task(await_with(job, LifetimeTracked(counts)));
    run_once(*loop);
    meeting.arrive();
    dawdle(engine);
    if (round % 3 == 0) task.cancel();
    if (round % 2 == 0) run_briefly(*loop);
    loop.reset();
    CHECK(task.done());
    CHECK(counts.live == 0);
    CHECK(job.result() == round);
    if (!task.cancelled()) CHECK(task.result() == round);
  }
}

TEST_CASE("Future::cancel: of a wrapper from another thread, while its job and its loop end") {
  auto engine = seeded_engine("cancel wrapper");
  ThreadPoolExecutor pool(1);
  int cancelled = 0;
  for (int round = 0; round < rounds; ++round) {
    Meeting meeting;
    auto loop = std::make_unique<aio::EventLoop>();
    Future<int> wrapper;
    const auto job = pool.submit([round, own = Engine(engine())]() mutable {
      dawdle(own);
      return round;
    });
    loop->call_soon([&] { wrapper = aio::wrap_future(job); });
    run_once(*loop);
    std::thread other([&, own = Engine(engine())]() mutable {
      meeting.arrive();
      dawdle(own);
      wrapper.cancel();
    });
    meeting.arrive();
    dawdle(engine);
    if (round % 2 == 0) run_once(*loop);
    loop.reset();
    other.join();
    CHECK(eventually([&] { return wrapper.done(); }));
    cancelled += wrapper.cancelled();
    if (!wrapper.cancelled()) CHECK(wrapper.result() == round);
  }
  MESSAGE("cancelled: " << cancelled);
}

TEST_CASE("close: of loops whose default executors are busy loses no result and no thread") {
  auto engine = seeded_engine("close and work");
  const auto threads = thread_count();
  std::vector<Future<int>> jobs;
  for (int round = 0; round < rounds / 10; ++round) {
    aio::EventLoop loop;
    const auto count = 1 + pick(engine, 20);
    for (std::size_t i = 0; i < count; ++i) {
      jobs.push_back(loop.run_in_executor(nullptr, [round, own = Engine(engine())]() mutable {
        dawdle(own, 20000);
        return round;
      }));
    }
    if (round % 2 == 0) run_briefly(loop);
    if (round % 3 == 0) loop.run_until_complete(loop.shutdown_default_executor());
    if (round % 5 == 0) jobs.back().cancel();
  }
  for (const auto& job : jobs) {
    if (!job.cancelled()) CHECK(job.result() >= 0);
  }
  CHECK(eventually([&] { return thread_count() == threads; }));
}

TEST_CASE("to_std_future: racing with the end and the cancellation of its job") {
  auto engine = seeded_engine("std and cancel");
  ThreadPoolExecutor pool(1);
  for (int round = 0; round < rounds; ++round) {
    Meeting meeting;
    const auto job = pool.submit([round, own = Engine(engine())]() mutable {
      dawdle(own);
      return round;
    });
    std::thread other([&, own = Engine(engine())]() mutable {
      meeting.arrive();
      dawdle(own);
      job.cancel();
    });
    meeting.arrive();
    dawdle(engine);
    const auto future = aio::to_std_future(job);
    try {
      const int result = future.get();
      CHECK(result == round);
    } catch (const CancelledError&) {
      CHECK(job.cancelled());
    }
    other.join();
  }
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
