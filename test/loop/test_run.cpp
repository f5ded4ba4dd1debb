// run() and Runner where the process is involved: Ctrl-C and fork(), in processes of their own.
#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <plait/aio.hpp>
#include <string>
#include <thread>
#include <utility>

#include "../support/log_capture.hpp"
#include "../support/loop_probe.hpp"
#include "../support/prepared_futures.hpp"
#include "../support/process_probe.hpp"
#include "../support/scenario.hpp"

namespace plait::test {
namespace {

void check(const Scenario& scenario) { check_scenario("loop_scenarios", scenario); }

TEST_SUITE_BEGIN("loop/run");

TEST_CASE("Ctrl-C: the first one cancels the main task, whatever the loop sleeps in") {
  check({"interrupted", "cancelled\nKeyboardInterrupt", 0});
  check({"interrupted_in_selector", "cancelled\nKeyboardInterrupt", 0});
}

TEST_CASE("Ctrl-C: the second one ends the run at once, and close() then ends the task") {
  check({"interrupted_twice", "cancelled\ninterrupted\nclosing\ncancelled\n", 0});
  check({"interrupted_twice_in_selector", "cancelled\ninterrupted\nclosing\ncancelled\n", 0});
}

TEST_CASE("Ctrl-C: a handler that the main task sets takes its place and stays") {
  check({"own_handler", "kept\n", 3});
}

TEST_CASE("Ctrl-C: after a run it ends the process, as before") {
  const auto result = run_program("loop_scenarios", {"default_afterwards"});
  CHECK(result.signal == SIGINT);
}

TEST_CASE("fork: in the child of a coroutine no loop runs, and it may make its own") {
  check({"fork_and_look", "child exited with 11\nparent goes on\n", 0});
  check({"fork_and_run", "child exited with 12\nparent goes on\n", 0});
  check({"fork_with_selector_and_run", "child exited with 12\nparent goes on\n", 0});
  check({"fork_while_another_thread_has_the_loop", "child exited with 14\n", 2});
}

TEST_CASE("fork: in the child Ctrl-C is its own, not the parent's loop's") {
  check({"fork_and_interrupt", "child ended by signal 2\nparent goes on\n", 0});
  check({"fork_and_run_interrupted", "cancelled\nchild exited with 13\nparent goes on\n", 0});
}

Coroutine<> start_late_task(int& steps) {
  try {
    co_await aio::sleep(1h);
  } catch (const CancelledError&) {
  }
  ++steps;
  co_await aio::yield();
  ++steps;
}

Coroutine<> spawn_in_cleanup(int& steps) {
  try {
    co_await aio::sleep(1h);
  } catch (const CancelledError&) {
  }
  ++steps;
  aio::create_task(start_late_task(steps), {.name = "late"});
}

Coroutine<> spawn(Coroutine<> coro) {
  aio::create_task(std::move(coro));
  co_await aio::yield();
}

TEST_CASE("run: waits for tasks that take their cancellation back; a late one is destroyed") {
  const LogCapture log;
  int steps = 0;
  aio::run(spawn(start_late_task(steps)), {.virtual_time = true});
  CHECK(steps == 2);
  CHECK(log.size() == 0);
  steps = 0;
  aio::run(spawn(spawn_in_cleanup(steps)), {.virtual_time = true});
  CHECK(steps == 1);
  CHECK(log.count("Task was destroyed but it is pending! late") == 1);
}

Coroutine<> throw_after(Coroutine<> before) {
  co_await std::move(before);
  throw TestError("main");
}

TEST_CASE("run: ends the other tasks where main fails, and where it is stopped") {
  const LogCapture log;
  int steps = 0;
  CHECK_THROWS_AS(aio::run(throw_after(spawn(start_late_task(steps))), {.virtual_time = true}),
                  TestError);
  CHECK(steps == 2);
  const auto stop = []() -> Coroutine<> {
    aio::get_running_loop().stop();
    co_await aio::sleep(1h);
  };
  CHECK_THROWS_AS(aio::run(stop()), RuntimeError);
  CHECK(log.size() == 0);
}

TEST_CASE("run: a deadlock under virtual time comes out of it, and the task is ended") {
  bool cancelled = false;
  const auto wait_for_ever = [](bool& flag) -> Coroutine<> {
    auto promise = aio::get_running_loop().create_promise<int>();
    try {
      co_await promise.get_future();
    } catch (const CancelledError&) {
      flag = true;
    }
  };
  CHECK_THROWS_AS(aio::run(wait_for_ever(cancelled), {.virtual_time = true}), DeadlockError);
  CHECK(cancelled);
}

TEST_CASE("Runner: a loop made in one thread may be run in another, and closed in a third") {
  aio::Runner runner;
  runner.get_loop();
  int steps = 0;
  std::thread([&] { runner.run(spawn(start_late_task(steps))); }).join();
  std::thread([&] { runner.close(); }).join();
  CHECK(steps == 2);
}

Coroutine<> use_runner_inside() {
  aio::Runner inner;
  inner.get_loop().create_task(empty_coroutine());
  co_return;
}

TEST_CASE(
    "Runner: one that is destroyed inside of another loop cannot run its tasks, and says so") {
  const LogCapture log;
  aio::run(use_runner_inside());
  CHECK(log.count("Runner::close() could not end the loop's tasks") == 1);
  CHECK(log.count("Task was destroyed but it is pending!") == 1);
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
