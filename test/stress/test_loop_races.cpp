// Other threads meet a loop at every moment of its life: posting, cancelling, completing, closing.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <plait/aio.hpp>
#include <plait/futures.hpp>
#include <thread>
#include <vector>

#include "../support/lifetime_tracked.hpp"
#include "../support/log_capture.hpp"
#include "../support/loop_probe.hpp"
#include "../support/meeting.hpp"
#include "../support/process_probe.hpp"
#include "../support/seeded.hpp"

namespace plait::test {
namespace {

constexpr int rounds = 2000;

Coroutine<int> await_with(Future<int> future, LifetimeTracked) { co_return co_await future; }

TEST_SUITE_BEGIN("stress/loop_races");

TEST_CASE(
    "close: while another thread completes what a task awaits, the task ends one way or the "
    "other") {
  auto engine = seeded_engine("close and complete");
  const LogCapture log;  // of pending tasks
  LifetimeCounts counts;
  for (int round = 0; round < rounds; ++round) {
    Promise<int> promise;
    Meeting meeting;
    std::thread other([&, own = Engine(engine())]() mutable {
      meeting.arrive();
      dawdle(own);
      promise.set_result(round);
    });
    std::optional<aio::Task<int>> task;
    {
      aio::EventLoop loop;
      if (round % 2 == 0) loop.context();
      task = loop.create_task(await_with(promise.get_future(), LifetimeTracked(counts)));
      run_briefly(loop);
      meeting.arrive();
      dawdle(engine);
      if (round % 3 == 0) run_once(loop);
    }
    CHECK(counts.live == 0);
    CHECK(task->done());
    if (!task->cancelled()) CHECK(task->result() == round);
    other.join();
  }
}

TEST_CASE("stop: and destroying the loop, while a worker ends what it runs for, hurts nobody") {
  auto engine = seeded_engine("stop and complete");
  ThreadPoolExecutor pool(1);
  int stopped = 0;
  for (int round = 0; round < rounds; ++round) {
    Meeting meeting;
    const auto job = pool.submit([&, own = Engine(engine())]() mutable {
      meeting.arrive();
      dawdle(own, 20000);
    });
    auto loop = std::make_unique<aio::EventLoop>();
    loop->call_soon([&] {
      meeting.arrive();
      dawdle(engine, 20000);
      loop->stop();
    });
    try {
      loop->run_until_complete(job);
    } catch (const RuntimeError&) {
      ++stopped;
    }
    loop.reset();
    job.wait();
  }
  MESSAGE("stopped first: " << stopped);
}

TEST_CASE("Task::cancel: while a worker ends the job that the task awaits, either wins") {
  auto engine = seeded_engine("cancel and complete");
  ThreadPoolExecutor pool(1);
  aio::EventLoop loop;
  LifetimeCounts counts;
  int cancelled = 0;
  for (int round = 0; round < rounds; ++round) {
    Meeting meeting;
    const auto job = pool.submit([&, round, own = Engine(engine())]() mutable {
      meeting.arrive();
      dawdle(own);
      return round;
    });
    const auto task = loop.create_task(await_with(job, LifetimeTracked(counts)));
    int iterations = static_cast<int>(pick(engine, 4));
    std::function<void()> cancel_later = [&] {
      dawdle(engine);
      if (iterations-- > 0) {
        loop.call_soon(cancel_later);
      } else {
        task.cancel();
      }
    };
    loop.call_soon([&] { meeting.arrive(); });
    loop.call_soon(cancel_later);
    try {
      const int result = loop.run_until_complete(task);
      CHECK(result == round);
    } catch (const CancelledError&) {
      ++cancelled;
      CHECK(task.cancelled());
    }
    CHECK(counts.live == 0);
    job.wait();
    run_briefly(loop);
  }
  MESSAGE("cancelled in time: " << cancelled);
}

// What four threads post, each its own numbers in order.
void flood(aio::EventLoop& loop) {
  constexpr int threads = 4, calls = 10000;
  std::vector<int> last(threads, -1);
  int count = 0;
  bool in_order = true;
  const auto receive = [&](int thread, int number) {
    in_order = in_order && number == last[thread] + 1;
    last[thread] = number;
    if (++count == threads * calls) loop.stop();
  };
  std::vector<std::thread> senders;
  for (int thread = 0; thread < threads; ++thread) {
    senders.emplace_back([&, thread] {
      for (int i = 0; i < calls; ++i) {
        loop.call_soon_threadsafe(receive, thread, i);
        if (i % 1000 == 0) std::this_thread::yield();
      }
    });
  }
  loop.run_forever();
  for (auto& sender : senders) sender.join();
  CHECK(count == threads * calls);
  CHECK(in_order);
}

TEST_CASE("call_soon_threadsafe: loses nothing of a flood, and keeps each thread's order") {
  aio::EventLoop with_futex, with_selector;
  flood(with_futex);
  with_selector.context();
  flood(with_selector);
}

TEST_CASE("call_soon_threadsafe: a sleeping loop wakes for every single call") {
  for (const bool with_selector : {false, true}) {
    aio::EventLoop loop;
    if (with_selector) loop.context();
    std::atomic<int> received{0};
    std::thread runner([&] { loop.run_forever(); });
    for (int i = 0; i < rounds; ++i) {
      loop.call_soon_threadsafe([&] { ++received; });
      while (received.load() <= i) std::this_thread::yield();
    }
    loop.call_soon_threadsafe([&] { loop.stop(); });
    runner.join();
    CHECK(received == rounds);
  }
}

TEST_CASE("call_soon_threadsafe: racing with close() is refused, or taken and dropped") {
  auto engine = seeded_engine("post and close");
  LifetimeCounts counts;
  for (int round = 0; round < rounds; ++round) {
    aio::EventLoop loop;
    if (round % 2 == 0) loop.context();
    Meeting meeting;
    bool ran = false;
    std::thread other([&, own = Engine(engine())]() mutable {
      meeting.arrive();
      for (int i = 0; i < 5; ++i) {
        dawdle(own, 300);
        try {
          loop.call_soon_threadsafe([&ran, owned = LifetimeTracked(counts)] { ran = true; });
        } catch (const RuntimeError&) {
          break;
        }
      }
    });
    meeting.arrive();
    dawdle(engine);
    loop.close();
    other.join();
    CHECK_FALSE(ran);
    CHECK(counts.live == 0);
  }
}

TEST_CASE("Handle::cancel: from another thread, the callback runs or is cancelled, not both") {
  auto engine = seeded_engine("run and cancel");
  aio::EventLoop loop;
  LifetimeCounts counts;
  int cancelled = 0;
  for (int round = 0; round < rounds; ++round) {
    Meeting meeting;
    bool ran = false, was_cancelled = false;
    std::thread other([&, own = Engine(engine())]() mutable {
      auto handle =
          loop.call_soon_threadsafe([&ran, owned = LifetimeTracked(counts)] { ran = true; });
      meeting.arrive();
      dawdle(own, 20000);
      handle.cancel();
      was_cancelled = handle.cancelled();
    });
    meeting.arrive();
    dawdle(engine);
    run_once(loop);
    other.join();
    run_once(loop);
    CHECK(ran != was_cancelled);
    CHECK(counts.live == 0);
    cancelled += was_cancelled;
  }
  MESSAGE("cancelled in time: " << cancelled);
}

Coroutine<int> yield_times(int count) {
  for (int i = 0; i < count; ++i) co_await aio::yield();
  co_return count;
}

TEST_CASE("Task::cancel: from two other threads, racing with the task's end") {
  auto engine = seeded_engine("cancel and end");
  int cancelled = 0;
  for (int round = 0; round < rounds / 4; ++round) {
    aio::EventLoop loop;
    if (round % 2 == 0) loop.context();
    const auto task = loop.create_task(yield_times(static_cast<int>(pick(engine, 20))));
    std::vector<std::thread> others;
    for (int i = 0; i < 2; ++i) {
      others.emplace_back([task, own = Engine(engine())]() mutable {
        dawdle(own, 20000);
        if (!task.cancel("from outside")) CHECK(task.done());
      });
    }
    dawdle(engine, 20000);
    try {
      loop.run_until_complete(task);
    } catch (const CancelledError& error) {
      ++cancelled;
      CHECK(error.message() == "from outside");
    }
    if (round % 3 == 0) loop.close();
    for (auto& other : others) other.join();
  }
  MESSAGE("cancelled in time: " << cancelled);
}

TEST_CASE("Task::cancel: from another thread wakes a loop that sleeps, in its selector too") {
  for (const bool with_selector : {false, true}) {
    aio::EventLoop loop;
    if (with_selector) loop.context();
    for (int round = 0; round < 200; ++round) {
      const auto task = loop.create_task(aio::sleep(1h));
      bool cancelled = false;
      {
        ProbedThread runner([&] {
          try {
            loop.run_until_complete(task);
          } catch (const CancelledError&) {
            cancelled = true;
          }
        });
        if (round % 10 == 0) runner.wait_until_asleep();
        CHECK(task.cancel());
      }
      CHECK(cancelled);
    }
  }
}

TEST_CASE("two loops in two threads: post to each other until both have had enough") {
  aio::EventLoop loops[2];
  int count[2] = {0, 0};
  std::function<void(int)> ping = [&](int here) {
    if (++count[here] > rounds) loops[here].stop();
    try {
      loops[1 - here].call_soon_threadsafe(ping, 1 - here);
    } catch (const RuntimeError&) {
    }
  };
  loops[0].call_soon(ping, 0);
  std::thread other([&] { loops[1].run_forever(); });
  loops[0].run_forever();
  other.join();
  CHECK(count[0] > rounds);
  CHECK(count[1] >= rounds);
}

TEST_CASE("a loop: is moved between threads while it does not run") {
  aio::EventLoop loop;
  loop.context();
  const auto task = loop.create_task(yield_times(100));
  for (int i = 0; i < 20; ++i) {
    std::thread([&] { run_once(loop); }).join();
    run_once(loop);
  }
  CHECK_FALSE(task.done());
  std::thread([&] { CHECK(loop.run_until_complete(task) == 100); }).join();
  std::thread([&] { loop.close(); }).join();
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
