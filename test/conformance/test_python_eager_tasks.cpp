// CPython's cases of tasks that start inside of create_task(): TaskOptions::eager_start.
// Left out: the task factory object, and staggered_race, which plait lacks.
#include <doctest/doctest.h>

#include <chrono>
#include <plait/aio.hpp>
#include <string>

#include "../support/loop_probe.hpp"
#include "../support/prepared_futures.hpp"

namespace plait::test {
namespace {

using namespace std::chrono_literals;

constexpr aio::LoopOptions virtual_time{.virtual_time = true};
constexpr aio::TaskOptions eager{.eager_start = true};

TEST_SUITE_BEGIN("conformance/eager_tasks");

Coroutine<> set(Promise<int> promise) {
  promise.set_result(1);
  co_return;
}

Coroutine<> check_future_set_in_first_step(aio::EventLoop& loop) {
  const auto promise = loop.create_promise<int>();
  const auto task = aio::create_task(set(promise), eager);
  CHECK(task.done());
  CHECK(promise.get_future().done());
  CHECK(co_await promise.get_future() == 1);
  co_await task;
}

TEST_CASE(
    "eager_start: what the first step sets can be awaited "
    "[cpython test_eager_task_factory.test_await_future_during_eager_step]") {
  aio::EventLoop loop;
  loop.run_until_complete(check_future_set_in_first_step(loop));
}

Coroutine<std::string> hello() { co_return "hello"; }
Coroutine<> fail() {
  throw TestError("eager");
  co_return;
}

Coroutine<> check_completion() {
  const auto parent = aio::current_task();
  const auto task = aio::create_task(hello(), eager);
  CHECK(task.done());
  CHECK(aio::current_task() == parent);
  CHECK(aio::all_tasks().size() == 1);
  CHECK(co_await task == "hello");
  const auto failed = aio::create_task(fail(), eager);
  CHECK(failed.done());
  CHECK_THROWS_AS(failed.result(), TestError);
}

TEST_CASE(
    "eager_start: a coroutine that never waits is done when create_task() returns "
    "[cpython test_eager_task_factory.test_eager_completion]") {
  aio::EventLoop loop;
  loop.run_until_complete(check_completion());
}

Coroutine<int> note_and_sleep(int& steps) {
  ++steps;
  co_await aio::sleep(100ms);
  ++steps;
  co_return 7;
}

Coroutine<> check_blocking() {
  int steps = 0;
  const auto task = aio::create_task(note_and_sleep(steps), eager);
  CHECK(steps == 1);
  CHECK_FALSE(task.done());
  CHECK(co_await task == 7);
  CHECK(steps == 2);
}

TEST_CASE(
    "eager_start: runs to the first wait, and goes on later "
    "[cpython test_eager_task_factory.test_block_after_eager_step]") {
  aio::EventLoop loop(virtual_time);
  loop.run_until_complete(check_blocking());
}

Coroutine<> cancel_completed() {
  const auto task = aio::create_task(hello(), eager);
  CHECK_FALSE(task.cancel());
  CHECK(co_await task == "hello");
  CHECK_FALSE(task.cancelled());
}

TEST_CASE(
    "eager_start: a completed task cannot be cancelled "
    "[cpython test_eager_task_factory.test_cancellation_after_eager_completion]") {
  aio::EventLoop loop;
  loop.run_until_complete(cancel_completed());
}

Coroutine<> cancel_waiting() {
  int steps = 0;
  const auto task = aio::create_task(note_and_sleep(steps), eager);
  CHECK(task.cancel("reason"));
  CHECK(task.cancelling() == 1);
  std::string message;
  try {
    co_await task;
  } catch (const CancelledError& error) {
    message = error.message();
  }
  CHECK(message == "reason");
  CHECK(task.cancelled());
  CHECK(steps == 1);
}

TEST_CASE(
    "eager_start: a task that waits is cancelled as any other "
    "[cpython test_eager_task_factory.test_cancellation_after_eager_step_blocks]") {
  aio::EventLoop loop(virtual_time);
  loop.run_until_complete(cancel_waiting());
}

Coroutine<> check_not_eager() {
  int steps = 0;
  const auto task = aio::create_task(note_and_sleep(steps), {.name = "lazy"});
  CHECK(steps == 0);
  CHECK(task.get_name() == "lazy");
  CHECK(co_await task == 7);
}

TEST_CASE(
    "eager_start: false starts in the next iteration "
    "[cpython test_eager_task_factory.test_eager_start_false]") {
  aio::EventLoop loop(virtual_time);
  loop.run_until_complete(check_not_eager());
}

Coroutine<std::string> own_name() { co_return aio::current_task()->get_name(); }

Coroutine<> check_name() {
  const auto task = aio::create_task(own_name(), {.name = "eager one", .eager_start = true});
  CHECK(task.done());
  CHECK(co_await task == "eager one");
}

TEST_CASE(
    "eager_start: the first step sees the task's name and itself as current "
    "[cpython test_eager_task_factory.test_eager_start_true_with_default_factory]") {
  aio::EventLoop loop;
  loop.run_until_complete(check_name());
}

TEST_CASE("eager_start: on a loop that does not run, the first step waits for it to run") {
  aio::EventLoop loop(virtual_time);
  int steps = 0;
  const auto task = loop.create_task(note_and_sleep(steps), eager);
  CHECK(steps == 0);
  CHECK(loop.run_until_complete(task) == 7);
}

Coroutine<int> nested(int depth) {
  if (depth == 0) co_return 0;
  const auto task = aio::create_task(nested(depth - 1), eager);
  CHECK(task.done());
  co_return co_await task + 1;
}

TEST_CASE("eager_start: tasks start inside of each other's first steps") {
  aio::EventLoop loop;
  CHECK(loop.run_until_complete(nested(50)) == 50);
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
