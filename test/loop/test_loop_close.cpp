// Closing a loop that still has something to do: everything is reported or dropped, nothing leaks.
#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <memory>
#include <optional>
#include <plait/aio.hpp>
#include <plait/futures.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "../support/gate.hpp"
#include "../support/lifetime_tracked.hpp"
#include "../support/log_capture.hpp"
#include "../support/loop_probe.hpp"
#include "../support/prepared_futures.hpp"
#include "../support/process_probe.hpp"
#include "../support/socket_pair.hpp"

namespace plait::test {
namespace {

constexpr aio::LoopOptions virtual_time{.virtual_time = true};

Coroutine<> sleep_with(LifetimeTracked) { co_await aio::sleep(1h); }
Coroutine<> yield_with(LifetimeTracked) {
  for (;;) co_await aio::yield();
}
Coroutine<> await_with(LifetimeTracked, Future<int> future) { co_await future; }
Coroutine<> await_task_with(LifetimeTracked, aio::Task<> task) { co_await task; }

TEST_SUITE_BEGIN("loop/close");

TEST_CASE("close: destroys pending tasks wherever they wait, and reports each") {
  LifetimeCounts counts;
  Promise<int> outside;
  aio::EventLoop loop(virtual_time);
  const Reports reports(loop);
  const auto promise = loop.create_promise<int>();
  std::vector<aio::Task<>> tasks;
  const auto add = [&](Coroutine<> coro) { tasks.push_back(loop.create_task(std::move(coro))); };
  add(sleep_with(LifetimeTracked(counts)));
  add(yield_with(LifetimeTracked(counts)));
  add(await_with(LifetimeTracked(counts), promise.get_future()));
  add(await_with(LifetimeTracked(counts), outside.get_future()));
  add(await_task_with(LifetimeTracked(counts), tasks[0]));
  add(await_task_with(LifetimeTracked(counts), tasks[2]));
  run_briefly(loop);
  add(sleep_with(LifetimeTracked(counts)));  // not started
  tasks[1].cancel();                         // woken to be cancelled
  CHECK(counts.live == 7);
  loop.close();
  CHECK(counts.live == 0);
  CHECK(reports.size() == 7);
  for (const auto& task : tasks) {
    CHECK(task.cancelled());
    CHECK_THROWS_AS(task.result(), CancelledError);
    CHECK(task.get_stack().empty());
    CHECK_FALSE(task.cancel());
  }
  outside.set_result(1);
}

TEST_CASE("close: drops done-callbacks that were due, with what they own") {
  LifetimeCounts counts;
  int calls = 0;
  {
    aio::EventLoop loop;
    auto promise = loop.create_promise<int>();
    promise.get_future().add_done_callback(
        [&calls, owned = LifetimeTracked(counts)](const auto&) { ++calls; });
    promise.set_result(1);
    const auto task = loop.create_task(sleep_with(LifetimeTracked(counts)));
    task.add_done_callback([&calls, owned = LifetimeTracked(counts)](const auto&) { ++calls; });
    const LogCapture log;
    loop.close();
    CHECK(log.size() == 1);
  }
  CHECK(calls == 0);
  CHECK(counts.live == 0);
}

TEST_CASE("close: drops readers, writers and signal handlers, called or not") {
  LifetimeCounts counts;
  const SocketPair sockets;
  const auto descriptors = descriptor_count();
  {
    aio::EventLoop loop;
    loop.add_reader(sockets.near(), [owned = LifetimeTracked(counts)] {});
    loop.add_writer(sockets.near(), [owned = LifetimeTracked(counts)] {});
    loop.add_signal_handler(SIGUSR1, [owned = LifetimeTracked(counts)] {});
    sockets.send("x");
    for (int i = 0; i < 3; ++i) run_briefly(loop);
    CHECK(counts.live > 0);
    loop.close();
    CHECK(counts.live == 0);
  }
  CHECK(descriptor_count() == descriptors);
}

TEST_CASE("close: a reader may own the last handle of a job, which it cancels in its destructor") {
  ThreadPoolExecutor pool(1);
  Gate gate;
  const auto running = pool.submit([&] { gate.pass(); });
  gate.wait_for_arrivals(1);
  struct CancelOnExit {
    explicit CancelOnExit(Future<> job) : job(std::move(job)) {}
    ~CancelOnExit() { job.cancel(); }
    Future<> job;
  };
  const SocketPair sockets;
  const auto queued = pool.submit([] {});
  {
    aio::EventLoop loop;
    loop.add_reader(sockets.near(), [guard = std::make_shared<CancelOnExit>(queued)] {});
  }
  CHECK(queued.cancelled());
  gate.open();
}

// Uses the loop while its own frame is destroyed.
class MeddlesAtEnd {
 public:
  MeddlesAtEnd(aio::EventLoop& loop, int& refusals, std::optional<aio::Task<>>& own,
               std::optional<aio::Task<>>& other)
      : loop_(&loop), refusals_(&refusals), own_(&own), other_(&other) {}
  MeddlesAtEnd(MeddlesAtEnd&& other) noexcept
      : loop_(std::exchange(other.loop_, nullptr)),
        refusals_(other.refusals_),
        own_(other.own_),
        other_(other.other_) {}
  ~MeddlesAtEnd() {
    if (!loop_) return;
    for (auto* const task : {own_, other_}) {
      if (*task) (*task)->cancel("in destructor");
    }
    try {
      loop_->call_soon([] {});
    } catch (const RuntimeError&) {
      ++*refusals_;
    }
    try {
      loop_->create_task(empty_coroutine());
    } catch (const RuntimeError&) {
      ++*refusals_;
    }
  }

 private:
  aio::EventLoop* loop_;  // null: moved from
  int* refusals_;
  std::optional<aio::Task<>>* own_;
  std::optional<aio::Task<>>* other_;
};

Coroutine<> sleep_as(MeddlesAtEnd) { co_await aio::sleep(1h); }
Coroutine<> await_as(MeddlesAtEnd, Future<int> future) { co_await future; }

TEST_CASE(
    "close: destructors of frames may cancel any task, their own too; the loop refuses more") {
  aio::EventLoop loop(virtual_time);
  const Reports reports(loop);
  const auto promise = loop.create_promise<int>();
  int refusals = 0;
  std::optional<aio::Task<>> first, second, third;
  first = loop.create_task(sleep_as(MeddlesAtEnd(loop, refusals, first, second)));
  second =
      loop.create_task(await_as(MeddlesAtEnd(loop, refusals, second, third), promise.get_future()));
  third = loop.create_task(sleep_as(MeddlesAtEnd(loop, refusals, third, first)));
  run_briefly(loop);
  loop.close();
  CHECK(refusals == 6);
  CHECK(reports.size() == 3);
  for (const auto& task : {*first, *second, *third}) CHECK(task.cancelled());
}

TEST_CASE("close: the exception handler may not use the loop any more, and is logged if it does") {
  const LogCapture log;
  aio::EventLoop loop;
  loop.set_exception_handler(
      [](aio::EventLoop& own, const aio::ExceptionContext&) { own.call_soon([] {}); });
  loop.create_task(aio::sleep(1h));
  loop.close();
  CHECK(log.count("Unhandled error in exception handler", "Event loop is closed") == 1);
  CHECK(log.count("Task was destroyed but it is pending!") == 1);
}

TEST_CASE("close: a callback's destructor may set a promise of the loop") {
  aio::EventLoop loop;
  auto promise = loop.create_promise<int>();
  int calls = 0;
  promise.get_future().add_done_callback([&](const auto&) { ++calls; });
  struct SetOnExit {
    Promise<int> promise;
    ~SetOnExit() { promise.set_result(1); }
  };
  loop.call_later(1h, [guard = std::make_shared<SetOnExit>(promise)] {});
  loop.close();
  CHECK(promise.get_future().result() == 1);
  CHECK(calls == 0);
}

TEST_CASE("close: a thread that blocks for a pending task gets CancelledError") {
  const LogCapture log;
  aio::EventLoop loop;
  const auto task = loop.create_task(aio::sleep(1h));
  bool cancelled = false;
  {
    ProbedThread waiter([&] {
      try {
        task.result();
      } catch (const CancelledError&) {
        cancelled = true;
      }
    });
    waiter.wait_until_asleep();
    loop.close();
  }
  CHECK(cancelled);
}

TEST_CASE("a task that fails: is reported when its last handle goes, before or after its end") {
  aio::EventLoop loop;
  const Reports reports(loop);
  const auto fail = [](int yields) -> Coroutine<> {
    for (int i = 0; i < yields; ++i) co_await aio::yield();
    throw TestError("nobody asks");
  };
  static_cast<void>(loop.create_task(fail(0)));  // dropped before the first step
  auto waiting = std::make_optional(loop.create_task(fail(3)));
  auto done = std::make_optional(loop.create_task(fail(0)));
  run_once(loop);
  CHECK(reports.size() == 1);
  waiting.reset();  // dropped while it waits
  for (int i = 0; i < 3; ++i) run_briefly(loop);
  CHECK(reports.size() == 2);
  done.reset();
  CHECK(reports.size() == 3);
  auto closed = std::make_optional(loop.create_task(fail(0)));
  run_briefly(loop);
  loop.close();
  closed.reset();
  CHECK(reports.size() == 4);
  CHECK(reports.holds_error<TestError>(3));
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
