// The ugly ones of EventLoop: wrong threads, slow callbacks, hooks that throw, closing too early.
#include <doctest/doctest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <plait/aio.hpp>
#include <plait/futures.hpp>
#include <string>
#include <thread>
#include <vector>

#include "../support/gate.hpp"
#include "../support/log_capture.hpp"
#include "../support/loop_probe.hpp"
#include "../support/prepared_futures.hpp"
#include "../support/process_probe.hpp"

namespace plait::test {
namespace {

using Ints = std::vector<int>;
using Strings = std::vector<std::string>;

constexpr aio::LoopOptions virtual_time{.virtual_time = true};
constexpr aio::LoopOptions debug_mode{.debug = true};

Coroutine<int> give(int value) { co_return value; }

TEST_SUITE_BEGIN("loop/event_loop");

// ---------------------------------------------------------------- debug mode

TEST_CASE("debug mode: calls from a wrong thread throw while the loop runs") {
  aio::EventLoop loop(debug_mode);
  Gate gate;
  std::thread runner([&] {
    loop.call_soon([&] { gate.pass(); });
    loop.run_forever();
  });
  gate.wait_for_arrivals(1);
  const auto text = text_of<RuntimeError>([&] { loop.call_soon([] {}); });
  CHECK(holds(text, "Non-thread-safe operation"));
  CHECK(holds(text, "call_soon_threadsafe()"));
  CHECK_THROWS_AS(loop.call_later(1s, [] {}), RuntimeError);
  CHECK_THROWS_AS(loop.call_at(Clock::now(), [] {}), RuntimeError);
  CHECK_THROWS_AS(loop.create_task(empty_coroutine()), RuntimeError);
  loop.call_soon_threadsafe([&] { loop.stop(); });
  gate.open();
  runner.join();
}

TEST_CASE("debug mode: a loop that does not run may be moved to another thread") {
  aio::EventLoop loop(debug_mode);
  CHECK(loop.run_until_complete(give(1)) == 1);
  std::thread([&] {
    loop.call_soon([] {});
    CHECK(loop.run_until_complete(give(2)) == 2);
    CHECK(loop.run_until_complete(loop.create_task(give(3))) == 3);
  }).join();
  CHECK(loop.run_until_complete(give(4)) == 4);
}

TEST_CASE("debug mode: a slow callback or step is logged with its name and its time") {
  const LogCapture log;
  aio::EventLoop loop(debug_mode);
  loop.set_slow_callback_duration(10ms);
  const auto work = [] {
    const auto end = Clock::now() + 11ms;
    while (Clock::now() < end) {
    }
  };
  loop.call_soon(work);
  run_briefly(loop);
  CHECK(log.count("Executing callback", "ms") == 1);
  loop.set_slow_callback_duration(1h);
  loop.call_soon(work);
  run_briefly(loop);
  loop.set_slow_callback_duration(10ms);
  loop.set_debug(false);
  loop.call_soon(work);
  run_briefly(loop);
  CHECK(log.size() == 1);
}

Coroutine<> forget_coroutine() {
  static_cast<void>(give(1));
  co_return;
}

TEST_CASE("debug mode: a coroutine that nobody awaited is reported, by name") {
  aio::EventLoop loop(debug_mode);
  const Reports reports(loop);
  loop.run_until_complete(forget_coroutine());
  REQUIRE(reports.size() == 1);
  CHECK(holds(reports.message(), "give"));
  CHECK(holds(reports.message(), "was never awaited"));
  loop.set_debug(false);
  loop.run_until_complete(forget_coroutine());
  CHECK(reports.size() == 1);
}

// ---------------------------------------------------------------- hooks that throw

TEST_CASE("exception handler: one that throws is logged, and so is what it was told") {
  const LogCapture log;
  aio::EventLoop loop;
  loop.set_exception_handler(
      [](aio::EventLoop&, const aio::ExceptionContext&) { throw TestError("handler's"); });
  loop.call_soon([] { throw TestError("callback's"); });
  run_briefly(loop);
  CHECK(log.count("Unhandled error in exception handler", "handler's") == 1);
  CHECK(log.count("Exception in callback", "callback's") == 1);
}

TEST_CASE("exception handler: may replace itself and use the loop") {
  aio::EventLoop loop;
  Strings told;
  loop.set_exception_handler([&](aio::EventLoop& own, const aio::ExceptionContext&) {
    CHECK(&own == &loop);
    told.push_back("first");
    loop.set_exception_handler([&](aio::EventLoop&, const aio::ExceptionContext& context) {
      told.push_back(context.message);
      loop.default_exception_handler(context);
    });
    loop.call_soon([&] { loop.call_exception_handler({"by hand", nullptr}); });
  });
  const LogCapture log;
  loop.call_soon([] { throw TestError("e"); });
  run_briefly(loop);
  run_briefly(loop);
  CHECK(told == Strings{"first", "by hand"});
  CHECK(log.count("by hand") == 1);
}

TEST_CASE("exception handler: is not told by a future that outlives its loop") {
  const LogCapture log;
  std::optional<Promise<int>> promise;
  {
    aio::EventLoop loop;
    loop.set_exception_handler([](aio::EventLoop& own, const aio::ExceptionContext&) {
      own.call_soon([] {});
      FAIL("the loop is gone");
    });
    promise = loop.create_promise<int>();
  }
  int calls = 0;
  promise->get_future().add_done_callback([&](const auto&) { ++calls; });
  promise->set_exception(TestError("late"));
  promise.reset();
  CHECK(log.count("late") == 1);
  CHECK(calls == 0);
}

TEST_CASE("trace: names the ready handles of each iteration, without cancelled ones") {
  aio::EventLoop loop(virtual_time);
  std::vector<Strings> seen;
  loop.set_trace([&](std::uint64_t iteration, const Strings& ready) {
    CHECK(iteration > 0);
    seen.push_back(ready);
  });
  loop.call_soon([] {}).cancel();
  loop.create_task(aio::sleep(1s), {.name = "sleeper"});
  run_once(loop);
  REQUIRE(seen.size() == 1);
  CHECK(seen[0] == Strings{"first step of sleeper"});
  loop.run_until_complete(aio::sleep(2s));
  bool timer = false;
  for (const auto& names : seen) {
    for (const auto& name : names) timer |= name == "timer of sleeper";
  }
  CHECK(timer);
  loop.set_trace({});
  const auto before = seen.size();
  run_briefly(loop);
  CHECK(seen.size() == before);
}

TEST_CASE("trace: what it throws is reported, and it may end itself") {
  aio::EventLoop loop;
  const Reports reports(loop);
  int calls = 0;
  loop.set_trace([&calls, &loop, owned = std::string(100, 'x')](auto, const auto&) {
    if (++calls == 2) loop.set_trace({});
    throw TestError(owned);
  });
  CHECK(loop.run_until_complete(give(1)) == 1);
  CHECK(calls == 2);
  REQUIRE(reports.size() == 2);
  CHECK(holds(reports.message(), "Exception in trace function"));
}

// ---------------------------------------------------------------- order and time

TEST_CASE("timers: one of the present moment runs in the next iteration, however busy the loop") {
  aio::EventLoop loop(virtual_time);
  int handles = 0;
  std::function<void()> again = [&] {
    ++handles;
    loop.call_soon(again);
  };
  again();
  loop.call_later(0s, [&] { loop.stop(); });
  loop.run_forever();
  CHECK(handles <= 3);
}

TEST_CASE("timers: a busy loop does not starve them, nor descriptors") {
  aio::EventLoop loop;
  int handles = 0;
  std::function<void()> again = [&] {
    ++handles;
    loop.call_soon(again);
  };
  again();
  loop.call_later(1ms, [&] { loop.stop(); });
  loop.run_forever();
  CHECK(handles > 0);
}

TEST_CASE("timers: cancelled ones go at once, with what they own") {
  aio::EventLoop loop;
  const auto owned = std::make_shared<int>(1);
  std::vector<aio::TimerHandle> timers;
  for (int i = 0; i < 1000; ++i) timers.push_back(loop.call_later(1h, [owned] {}));
  CHECK(owned.use_count() == 1001);
  for (auto& timer : timers) timer.cancel();
  CHECK(owned.use_count() == 1);
}

TEST_CASE("timers: the farthest moments are no problem") {
  aio::EventLoop loop(virtual_time);
  Ints calls;
  loop.call_at(Clock::time_point::min(), [&] { calls.push_back(1); });
  loop.call_later(Duration::min(), [&] { calls.push_back(2); });
  loop.call_later(Duration::max(), [&] { loop.stop(); });
  loop.call_at(Clock::time_point::max(), [&] { calls.push_back(3); });
  loop.run_forever();
  CHECK(calls == Ints{1, 2, 3});
}

TEST_CASE("virtual time: jumps from timer to timer, and never goes back") {
  aio::EventLoop loop(virtual_time);
  std::vector<Clock::duration> times;
  for (const int hours : {3, 1, 2}) {
    loop.call_later(hours * 1h, [&] { times.push_back(loop.time().time_since_epoch()); });
  }
  loop.call_later(4h, [&] { loop.stop(); });
  loop.run_forever();
  CHECK(times == std::vector<Clock::duration>{1h, 2h, 3h});
}

Coroutine<> wait_for_ever(Future<int> future) { co_await future; }

TEST_CASE("virtual time: DeadlockError names the tasks that wait, and for what") {
  const LogCapture log;
  aio::EventLoop loop(virtual_time);
  auto promise = loop.create_promise<int>();
  loop.create_task(wait_for_ever(promise.get_future()), {.name = "waits for ever"});
  const auto task = loop.create_task(give(1));
  CHECK(loop.run_until_complete(task) == 1);
  const auto text = text_of<DeadlockError>([&] { loop.run_forever(); });
  CHECK(holds(text, "waits for ever (in a loop's future)"));
  CHECK_FALSE(loop.is_running());
  promise.set_result(1);
  run_briefly(loop);
  CHECK(aio::all_tasks(loop).empty());
  CHECK(holds(text_of<DeadlockError>([&] { loop.run_forever(); }), "without any task"));
}

Coroutine<Clock::time_point> await_job(aio::EventLoop& loop, Future<int> job) {
  co_await job;
  co_return loop.time();
}

TEST_CASE("virtual time: waits for the jobs of executors instead of jumping") {
  ThreadPoolExecutor pool(1);
  aio::EventLoop loop(virtual_time);
  bool jumped = false;
  loop.call_later(1h, [&] { jumped = true; });
  Gate gate;
  const auto task = loop.create_task(await_job(loop, pool.submit([&] {
    gate.pass();
    return 1;
  })));
  std::thread opener([&] {
    gate.wait_for_arrivals(1);
    gate.open();
  });
  CHECK(loop.run_until_complete(task) == Clock::time_point());
  CHECK_FALSE(jumped);
  opener.join();
  CHECK(loop.run_until_complete(pool.submit([] { return 2; })) == 2);
}

TEST_CASE("real time: an idle loop uses no CPU, with and without a selector") {
  for (const bool with_selector : {false, true}) {
    aio::EventLoop loop;
    if (with_selector) loop.context();
    run_briefly(loop);
    const auto before = thread_cpu_time();
    loop.run_until_complete(aio::sleep(100ms));
    CHECK(thread_cpu_time() - before < 10ms);
  }
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
