// CPython's cases of the loop's own machinery: callbacks, timers, running, closing, handlers.
// Left out: executors have a file of their own, connections and servers belong to other features;
// plait has no task factories (test_set_task_factory) and no fatal exceptions
// (test_run_forever_keyboard_interrupt).
#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <plait/aio.hpp>
#include <plait/futures.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "../support/log_capture.hpp"
#include "../support/loop_probe.hpp"
#include "../support/prepared_futures.hpp"

namespace plait::test {
namespace {

using namespace std::chrono_literals;
using Strings = std::vector<std::string>;
using Ints = std::vector<int>;

constexpr aio::LoopOptions virtual_time{.virtual_time = true};

Coroutine<int> failing() {
  co_await aio::yield();
  throw TestError("failing coroutine");
}

TEST_SUITE_BEGIN("conformance/base_events");

TEST_CASE("close: may be called again; then nothing runs [cpython test_base_events.test_close]") {
  aio::EventLoop loop;
  CHECK_FALSE(loop.is_closed());
  loop.close();
  CHECK(loop.is_closed());
  loop.close();
  CHECK(loop.is_closed());
  CHECK_THROWS_AS(loop.run_forever(), RuntimeError);
  CHECK_THROWS_AS(loop.run_until_complete(empty_coroutine()), RuntimeError);
  CHECK_THROWS_AS(loop.run_until_complete(Promise<>().get_future()), RuntimeError);
}

TEST_CASE(
    "call_soon: a handle that is cancelled before its turn is never run, and may be cancelled "
    "again [cpython test_base_events.test__add_callback_cancelled_handle] "
    "[derived.loop_handle_cancel]") {
  aio::EventLoop loop(virtual_time);
  bool ran = false;
  auto handle = loop.call_soon([&] { ran = true; });
  handle.cancel();
  handle.cancel();
  CHECK(handle.cancelled());
  auto timer = loop.call_later(1s, [&] { ran = true; });
  timer.cancel();
  loop.call_later(2s, [&] { loop.stop(); });
  loop.run_forever();
  CHECK_FALSE(ran);
}

TEST_CASE("call_soon: queues a callback as ready [cpython test_base_events.test_call_soon]") {
  aio::EventLoop loop(virtual_time);
  int calls = 0;
  const auto handle = loop.call_soon([&] { ++calls; });
  CHECK(calls == 0);
  run_once(loop);
  CHECK(calls == 1);
  CHECK_FALSE(handle.cancelled());
  CHECK(loop.time() == Clock::time_point());
}

TEST_CASE(
    "call_later: waits for its time, not for the next iteration "
    "[cpython test_base_events.test_call_later]") {
  aio::EventLoop loop(virtual_time);
  bool ran = false;
  const auto handle = loop.call_later(10s, [&] { ran = true; });
  CHECK(handle.when() == loop.time() + 10s);
  run_once(loop);
  CHECK_FALSE(ran);
  loop.run_until_complete(aio::sleep(10s));
  CHECK(ran);
}

TEST_CASE(
    "call_later: negative delays run at once, earliest first "
    "[cpython test_base_events.test_call_later_negative_delays]") {
  aio::EventLoop loop;
  Strings calls;
  loop.call_later(-1s, [&] { calls.push_back("a"); });
  loop.call_later(-2s, [&] { calls.push_back("b"); });
  run_briefly(loop);
  CHECK(calls == Strings{"b", "a"});
}

TEST_CASE(
    "call_at: runs at the moment of time() that it was given "
    "[cpython test_base_events.test_time_and_call_at]") {
  aio::EventLoop loop;
  const auto start = loop.time();
  loop.call_at(start + 20ms, [&] { loop.stop(); });
  loop.run_forever();
  CHECK(loop.time() - start >= 20ms);
}

TEST_CASE("timers: a cancelled one is not waited for [cpython test_base_events.test__run_once]") {
  aio::EventLoop loop(virtual_time);
  Strings calls;
  loop.call_later(5s, [&] { calls.push_back("cancelled"); }).cancel();
  loop.call_later(10s, [&] {
    calls.push_back("second");
    loop.stop();
  });
  loop.run_forever();
  CHECK(calls == Strings{"second"});
  CHECK(loop.time() == Clock::time_point() + 10s);
}

TEST_CASE("set_debug: get_debug() mirrors it [cpython test_base_events.test_set_debug]") {
  aio::EventLoop loop;
  CHECK_FALSE(loop.get_debug());
  loop.set_debug(true);
  CHECK(loop.get_debug());
  loop.set_debug(false);
  CHECK_FALSE(loop.get_debug());
  CHECK(aio::EventLoop({.debug = true}).get_debug());
}

TEST_CASE(
    "run_until_complete: refuses another loop's future "
    "[cpython test_base_events.test_run_until_complete_loop]") {
  aio::EventLoop loop, other;
  auto promise = other.create_promise<int>();
  const auto task = other.create_task(empty_coroutine());
  CHECK_THROWS_AS(loop.run_until_complete(promise.get_future()), std::invalid_argument);
  CHECK_THROWS_AS(loop.run_until_complete(task), std::invalid_argument);
  CHECK_FALSE(loop.is_running());
  other.run_until_complete(task);
}

TEST_CASE(
    "exception handler: by default a callback's error is logged and the loop goes on "
    "[cpython test_base_events.test_default_exc_handler_callback]") {
  aio::EventLoop loop(virtual_time);
  const LogCapture log;
  loop.call_soon([] { throw TestError("zero division"); });
  run_briefly(loop);
  CHECK(log.count("Exception in callback", "zero division") == 1);
  loop.call_later(10ms, [] { throw TestError("later"); });
  loop.run_until_complete(aio::sleep(1s));
  CHECK(log.count("Exception in callback", "later") == 1);
  CHECK(log.size() == 2);
}

TEST_CASE(
    "exception handler: by default a task's error that nobody read is logged with its last handle "
    "[cpython test_base_events.test_default_exc_handler_coro]") {
  aio::EventLoop loop;
  const LogCapture log;
  std::optional task = loop.create_task(failing());
  for (int i = 0; i < 3; ++i) run_briefly(loop);
  CHECK(task->done());
  CHECK(log.size() == 0);
  task.reset();
  CHECK(log.count("exception was never retrieved", "failing coroutine") == 1);
}

TEST_CASE(
    "exception handler: a custom one takes the log's place until it is taken away "
    "[cpython test_base_events.test_set_exc_handler_custom]") {
  aio::EventLoop loop;
  const LogCapture log;
  CHECK_FALSE(loop.get_exception_handler());
  const Reports reports(loop);
  CHECK(static_cast<bool>(loop.get_exception_handler()));
  loop.call_soon([] { throw TestError("zero division"); });
  run_briefly(loop);
  REQUIRE(reports.size() == 1);
  CHECK(holds(reports.message(), "Exception in callback"));
  CHECK(reports.holds_error<TestError>());
  CHECK(log.size() == 0);
  loop.set_exception_handler({});
  CHECK_FALSE(loop.get_exception_handler());
  loop.call_soon([] { throw TestError("zero division"); });
  run_briefly(loop);
  CHECK(reports.size() == 1);
  CHECK(log.count("Exception in callback") == 1);
}

Coroutine<std::string> name_of_current_task() { co_return aio::current_task()->get_name(); }

TEST_CASE(
    "create_task: gives the name that was asked for "
    "[cpython test_base_events.test_create_named_task]") {
  aio::EventLoop loop;
  const auto task = loop.create_task(name_of_current_task(), {.name = "test_task"});
  CHECK(task.get_name() == "test_task");
  CHECK(loop.run_until_complete(task) == "test_task");
}

TEST_CASE(
    "run_forever: runs a callback once and returns after stop() "
    "[cpython test_base_events.test_run_once]") {
  aio::EventLoop loop;
  int calls = 0;
  loop.call_soon([&] { ++calls; });
  loop.call_soon([&] { loop.stop(); });
  loop.run_forever();
  CHECK(calls == 1);
}

TEST_CASE(
    "run_forever: stopped before, has one iteration and does not wait "
    "[cpython test_base_events.test_run_forever_pre_stopped]") {
  aio::EventLoop loop(virtual_time);
  bool ran = false, later = false;
  loop.call_later(1h, [&] { later = true; });
  loop.call_soon([&] { ran = true; });
  loop.stop();
  loop.run_forever();
  CHECK(ran);
  CHECK_FALSE(later);
  CHECK(loop.time() == Clock::time_point());
  CHECK_FALSE(loop.is_running());
}

TEST_CASE(
    "run_forever: the loop is the running one meanwhile only, over many short runs "
    "[cpython test_base_events.test_custom_run_forever_integration]") {
  aio::EventLoop loop;
  int calls = 0;
  loop.call_soon([&] {
    ++calls;
    CHECK(loop.is_running());
    CHECK(&aio::get_running_loop() == &loop);
  });
  for (int i = 0; i < 10; ++i) run_once(loop);
  CHECK(calls == 1);
  CHECK_FALSE(loop.is_running());
  CHECK(aio::get_running_loop_or_null() == nullptr);
}

template <class... A>
concept CallableSoon = requires(aio::EventLoop& loop, A... args) { loop.call_soon(args...); };

template <class... A>
concept CallableThreadsafe =
    requires(aio::EventLoop& loop, A... args) { loop.call_soon_threadsafe(args...); };

template <class... A>
concept CallableLater = requires(aio::EventLoop& loop, A... args) {
  loop.call_later(Duration(), args...);
  loop.call_at(Clock::time_point(), args...);
};

template <class... A>
concept RunnableInExecutor =
    requires(aio::EventLoop& loop, A... args) { loop.run_in_executor(nullptr, args...); };

TEST_CASE(
    "call_soon and its like: do not compile with a coroutine or a coroutine function "
    "[cpython test_base_events.test_call_coroutine]") {
  using Function = decltype(&empty_coroutine);
  CHECK_FALSE(CallableSoon<Function>);
  CHECK_FALSE(CallableThreadsafe<Function>);
  CHECK_FALSE(CallableLater<Function>);
  CHECK_FALSE(CallableSoon<Coroutine<>>);
  CHECK_FALSE(RunnableInExecutor<Function>);
  CHECK(RunnableInExecutor<void (*)(int), int>);
  CHECK(CallableSoon<void (*)(int), int>);
  CHECK_FALSE(CallableSoon<void (*)(int)>);
}

Coroutine<> run_other_loop(aio::EventLoop& other) {
  const auto text = text_of<RuntimeError>([&] { other.run_forever(); });
  CHECK(holds(text, "while another loop is running"));
  CHECK_FALSE(other.is_running());
  co_return;
}

TEST_CASE(
    "run_forever: refuses to run inside of another loop "
    "[cpython test_base_events.test_running_loop_within_a_loop]") {
  aio::EventLoop loop, other;
  loop.run_until_complete(run_other_loop(other));
  other.run_until_complete(empty_coroutine());
}

TEST_CASE(
    "call_soon: first in, first out; what is queued meanwhile waits for the next iteration "
    "[derived.loop_call_soon_fifo]") {
  aio::EventLoop loop;
  Ints calls;
  loop.call_soon([&] { calls.push_back(1); });
  loop.call_soon([&] {
    calls.push_back(2);
    loop.call_soon([&] { calls.push_back(0); });
  });
  loop.call_soon([&] { calls.push_back(3); });
  loop.call_soon([&] { loop.stop(); });
  loop.call_soon([&] { calls.push_back(4); });
  loop.run_forever();
  CHECK(calls == Ints{1, 2, 3, 4});
  run_once(loop);
  CHECK(calls == Ints{1, 2, 3, 4, 0});
}

TEST_CASE(
    "timers: run in the order of their deadlines where the loop is late, equal ones in the order "
    "of their making [derived.loop_deadline_order_when_late]") {
  aio::EventLoop loop;
  Ints calls;
  const auto past = loop.time() - 20ms;
  for (const int n : {3, 1, 2}) {
    loop.call_at(past + n * 1ms, [&calls, n] { calls.push_back(n); });
  }
  for (const int n : {10, 11, 12}) {
    loop.call_at(past + 3ms, [&calls, n] { calls.push_back(n); });
  }
  run_briefly(loop);
  CHECK(calls == Ints{1, 2, 3, 10, 11, 12});
}

TEST_CASE(
    "callbacks: an error stops neither the loop nor the others "
    "[derived.loop_callback_error_does_not_stop]") {
  aio::EventLoop loop;
  const Reports reports(loop);
  Strings calls;
  loop.call_soon([&] { calls.push_back("a"); });
  loop.call_soon([] { throw 42; });
  loop.call_soon([&] { calls.push_back("c"); });
  run_briefly(loop);
  CHECK(calls == Strings{"a", "c"});
  REQUIRE(reports.size() == 1);
  CHECK(reports.holds_error<int>());
}

TEST_CASE("close: drops queued callbacks, unrun [derived.loop_close_drops_pending]") {
  aio::EventLoop loop;
  const auto owned = std::make_shared<bool>(false);
  const auto soon = loop.call_soon([owned] { *owned = true; });
  const auto safe = loop.call_soon_threadsafe([owned] { *owned = true; });
  const auto later = loop.call_later(1h, [owned] { *owned = true; });
  CHECK(owned.use_count() == 4);
  loop.close();
  loop.close();
  CHECK_FALSE(*owned);
  CHECK(owned.use_count() == 1);
}

TEST_CASE(
    "run_until_complete: gives the outcome of a future that is done already "
    "[derived.loop_run_until_complete_done]") {
  aio::EventLoop loop(virtual_time);
  const auto promise_of = [&](auto end) {
    auto promise = loop.create_promise<int>();
    end(promise);
    return promise.get_future();
  };
  CHECK(loop.run_until_complete(promise_of([](auto& p) { p.set_result(5); })) == 5);
  CHECK_THROWS_AS(loop.run_until_complete(promise_of([](auto& p) { p.get_future().cancel(); })),
                  CancelledError);
  CHECK_THROWS_AS(
      loop.run_until_complete(promise_of([](auto& p) { p.set_exception(TestError("e")); })),
      TestError);
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
