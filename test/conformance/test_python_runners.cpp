// CPython's cases of run() and Runner.
// Left out: loop factories (LoopOptions take their place), awaitables other than coroutines
// (test_run_future), a second scope on a closed runner is a use after close(). The default executor
// (run_joins_default_executor) is in test_python_loop_executors.cpp.
#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <optional>
#include <plait/aio.hpp>
#include <string>
#include <thread>

#include "../support/lifetime_tracked.hpp"
#include "../support/log_capture.hpp"
#include "../support/loop_probe.hpp"
#include "../support/prepared_futures.hpp"

namespace plait::test {
namespace {

using namespace std::chrono_literals;

constexpr aio::LoopOptions virtual_time{.virtual_time = true};

Coroutine<int> give_42() {
  co_await aio::yield();
  co_return 42;
}

Coroutine<int> fail() {
  co_await aio::yield();
  throw TestError("spam");
}

TEST_SUITE_BEGIN("conformance/runners");

TEST_CASE(
    "run: gives the result or the error of the main coroutine "
    "[cpython test_runners.test_asyncio_run_return]") {
  CHECK(aio::run(give_42()) == 42);
  CHECK_THROWS_AS(aio::run(fail()), TestError);
  aio::run(empty_coroutine());
}

Coroutine<bool> debug_of_running_loop() { co_return aio::get_running_loop().get_debug(); }

TEST_CASE(
    "run: makes a loop with the options given [cpython test_runners.test_asyncio_run_debug] "
    "[cpython test_runners.test_asyncio_run_loop_factory]") {
  CHECK(aio::run(debug_of_running_loop(), {.debug = true}));
  CHECK_FALSE(aio::run(debug_of_running_loop(), {.debug = false}));
  CHECK_FALSE(aio::run(debug_of_running_loop()));
}

Coroutine<> count_as(LifetimeTracked) { co_return; }

Coroutine<> run_within_run(LifetimeCounts& counts) {
  const auto text = text_of<RuntimeError>([&] { aio::run(count_as(LifetimeTracked(counts))); });
  CHECK(holds(text, "cannot be called from a running event loop"));
  CHECK(counts.live == 0);
  co_return;
}

TEST_CASE(
    "run: refuses to run inside of a loop, and drops the coroutine unrun "
    "[cpython test_runners.test_asyncio_run_from_running_loop]") {
  LifetimeCounts counts;
  aio::run(run_within_run(counts));
}

Coroutine<> sleep_and_note(int& cancellations) {
  try {
    co_await aio::sleep(1h);
  } catch (const CancelledError&) {
    ++cancellations;
    throw;
  }
}

Coroutine<int> leave_tasks(int& cancellations, std::optional<aio::Task<>>& task) {
  task = aio::create_task(sleep_and_note(cancellations));
  aio::create_task(sleep_and_note(cancellations));
  co_await aio::yield();
  co_return 123;
}

TEST_CASE(
    "run: cancels the tasks that are left and waits for their end "
    "[cpython test_runners.test_asyncio_run_cancels_hanging_tasks]") {
  int cancellations = 0;
  std::optional<aio::Task<>> task;
  const LogCapture log;
  CHECK(aio::run(leave_tasks(cancellations, task), virtual_time) == 123);
  CHECK(cancellations == 2);
  CHECK(task->cancelled());
  CHECK(log.size() == 0);
}

Coroutine<> sleep_and_fail() {
  try {
    co_await aio::sleep(1h);
  } catch (const CancelledError&) {
    throw TestError("in cleanup");
  }
}

Coroutine<> leave_failing_task() {
  aio::create_task(sleep_and_fail(), {.name = "failing"});
  co_await aio::yield();
}

TEST_CASE("run: reports the errors of the tasks that it has cancelled") {
  const LogCapture log;
  aio::run(leave_failing_task(), virtual_time);
  CHECK(log.count("unhandled exception during", "failing", "in cleanup") == 1);
  CHECK(log.size() == 1);
}

Coroutine<std::string> done() { co_return "done"; }
Coroutine<aio::EventLoop*> running_loop() { co_return &aio::get_running_loop(); }

TEST_CASE("Runner: runs several coroutines on one loop [cpython test_runners.Runner.test_run]") {
  aio::Runner runner;
  CHECK(runner.run(done()) == "done");
  auto* const loop = runner.run(running_loop());
  CHECK(loop == &runner.get_loop());
  CHECK(runner.run(running_loop()) == loop);
  runner.close();
  CHECK(text_of<RuntimeError>([&] { runner.get_loop(); }) == "Runner is closed");
}

TEST_CASE(
    "Runner: close() may be called again, and ends it "
    "[cpython test_runners.Runner.test_explicit_close] "
    "[cpython test_runners.Runner.test_second_with_block_raises]") {
  aio::Runner runner, unused;
  runner.get_loop();
  for (int i = 0; i < 2; ++i) {
    runner.close();
    unused.close();
  }
  CHECK_THROWS_AS(runner.get_loop(), RuntimeError);
  CHECK_THROWS_AS(unused.get_loop(), RuntimeError);
  LifetimeCounts counts;
  CHECK_THROWS_AS(runner.run(count_as(LifetimeTracked(counts))), RuntimeError);
  CHECK(counts.live == 0);
}

Coroutine<> recurse(aio::Runner& runner, LifetimeCounts& counts) {
  const auto text = text_of<RuntimeError>([&] { runner.run(count_as(LifetimeTracked(counts))); });
  CHECK(holds(text, "cannot be called from a running event loop"));
  CHECK(counts.live == 0);
  CHECK_THROWS_AS(runner.close(), RuntimeError);
  co_return;
}

TEST_CASE(
    "Runner: neither runs nor closes inside of its own loop "
    "[cpython test_runners.Runner.test_recursive_run]") {
  aio::Runner runner;
  LifetimeCounts counts;
  runner.run(recurse(runner, counts));
  CHECK(runner.run(give_42()) == 42);
}

// doctest handles SIGINT itself, and a Runner leaves alone what somebody handles.
class DefaultInterrupt {
 public:
  DefaultInterrupt() { std::signal(SIGINT, SIG_DFL); }
  ~DefaultInterrupt() { CHECK(is_default()); }
  static bool is_default() {
    struct sigaction action{};
    ::sigaction(SIGINT, nullptr, &action);
    return action.sa_handler == SIG_DFL;
  }
};

Coroutine<int> interrupt_and_wait(Future<int> future) {
  ::raise(SIGINT);
  co_return co_await future;
}

TEST_CASE(
    "Runner: SIGINT cancels what the main task waits for, and run() throws KeyboardInterrupt "
    "[cpython test_runners.Runner.test_interrupt_wait]") {
  const DefaultInterrupt interrupt;
  aio::Runner runner;
  const auto promise = runner.get_loop().create_promise<int>();
  CHECK_THROWS_AS(runner.run(interrupt_and_wait(promise.get_future())), KeyboardInterrupt);
  CHECK(promise.get_future().cancelled());
  CHECK(runner.run(give_42()) == 42);
}

Coroutine<int> swallow_interrupt() {
  ::raise(SIGINT);
  try {
    co_await aio::sleep(1h);
  } catch (const CancelledError&) {
    aio::current_task()->uncancel();
  }
  co_return 1;
}

TEST_CASE("Runner: a main task that takes the cancellation of SIGINT back goes on") {
  const DefaultInterrupt interrupt;
  aio::Runner runner;
  CHECK(runner.run(swallow_interrupt()) == 1);
}

TEST_CASE(
    "run: works in other threads, which receive no SIGINT "
    "[cpython test_runners.Runner.test_signal_install_not_supported_ok]") {
  int result = 0;
  std::thread([&] { result = aio::run(give_42()); }).join();
  CHECK(result == 42);
}

Coroutine<> cancel_itself() {
  aio::current_task()->cancel();
  co_await aio::sleep(1h);
}

TEST_CASE(
    "run: a main task that cancels itself is a CancelledError "
    "[derived.run_main_cancels_itself]") {
  CHECK_THROWS_AS(aio::run(cancel_itself(), virtual_time), CancelledError);
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
