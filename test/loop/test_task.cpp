// The ugly ones of tasks: cycles, stacks, depth, hooks that throw, handles in odd places.
#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <plait/aio.hpp>
#include <plait/futures.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "../support/gate.hpp"
#include "../support/lifetime_tracked.hpp"
#include "../support/log_capture.hpp"
#include "../support/loop_probe.hpp"
#include "../support/prepared_futures.hpp"

namespace plait::test {
namespace {

using namespace std::chrono_literals;

constexpr aio::LoopOptions virtual_time{.virtual_time = true};

Coroutine<int> give(int value) { co_return value; }

Coroutine<> await_later(const std::optional<aio::Task<>>& task) { co_await *task; }

TEST_SUITE_BEGIN("loop/task");

// ---------------------------------------------------------------- waiting in circles

TEST_CASE("co_await: a task that awaits itself fails with advice") {
  aio::EventLoop loop;
  std::optional<aio::Task<>> task;
  task = loop.create_task(await_later(task));
  CHECK(holds(text_of<RuntimeError>([&] { loop.run_until_complete(*task); }),
              "Task cannot await on itself"));
}

TEST_CASE("cancel: ends tasks that await each other in a circle") {
  for (const std::size_t length : {2U, 3U, 10U}) {
    aio::EventLoop loop(virtual_time);
    std::vector<std::optional<aio::Task<>>> tasks(length);
    for (std::size_t i = 0; i < length; ++i) {
      tasks[i] = loop.create_task(await_later(tasks[(i + 1) % length]));
    }
    run_briefly(loop);
    CHECK_THROWS_AS(loop.run_forever(), DeadlockError);
    CHECK(tasks[0]->cancel());
    for (std::size_t i = 0; i < length; ++i) run_briefly(loop);
    for (const auto& task : tasks) CHECK(task->cancelled());
  }
}

TEST_CASE("cancel: goes through a long chain of tasks to the last one") {
  aio::EventLoop loop(virtual_time);
  std::vector<std::optional<aio::Task<>>> tasks(1000);
  tasks.back() = loop.create_task(aio::sleep(1h));
  for (std::size_t i = tasks.size() - 1; i > 0; --i) {
    tasks[i - 1] = loop.create_task(await_later(tasks[i]));
  }
  run_briefly(loop);
  tasks.front()->cancel("from the front");
  CHECK_THROWS_AS(loop.run_until_complete(*tasks.front()), CancelledError);
  CHECK(tasks.back()->cancelled());
  CHECK(tasks.back()->cancelling() == 1);
}

// ---------------------------------------------------------------- depth

Coroutine<int> count_down(int depth) {
  if (depth == 0) co_return 0;
  co_return co_await count_down(depth - 1) + 1;
}

Coroutine<int> count_down_and_yield(int depth) {
  if (depth == 0) {
    co_await aio::yield();
    co_return 0;
  }
  co_return co_await count_down_and_yield(depth - 1) + 1;
}

Coroutine<int> fail_below(int depth) {
  if (depth == 0) throw TestError("at the bottom");
  co_return co_await fail_below(depth - 1);
}

TEST_CASE("co_await: deep chains need no stack, on the way down and up") {
  aio::EventLoop loop;
  CHECK(loop.run_until_complete(count_down(5000)) == 5000);
  CHECK(loop.run_until_complete(count_down_and_yield(5000)) == 5000);
  CHECK_THROWS_AS(loop.run_until_complete(fail_below(1000)), TestError);
}

Coroutine<> await_task(aio::Task<> task) { co_await task; }

TEST_CASE("cancel: reaches the end of a long chain of tasks without using up the stack") {
  aio::EventLoop loop({.virtual_time = true});
  auto last = loop.create_task(aio::sleep(1h));
  const auto first = last;
  for (int i = 0; i < 20'000; ++i) last = loop.create_task(await_task(last));
  loop.run_until_complete(aio::sleep(1s));
  last.cancel("all of you");
  CHECK_THROWS_AS(loop.run_until_complete(last), CancelledError);
  CHECK(first.cancelled());
}

Coroutine<int> await_often(int times) {
  int sum = 0;
  for (int i = 0; i < times; ++i) sum += co_await give(1);
  co_return sum;
}

TEST_CASE("co_await: as many awaits as one likes in a loop") {
  aio::EventLoop loop;
  CHECK(loop.run_until_complete(await_often(1'000'000)) == 1'000'000);
}

// ---------------------------------------------------------------- stacks

Coroutine<> inner_of_stack() { co_await aio::sleep(1s); }
Coroutine<> outer_of_stack() { co_await inner_of_stack(); }

TEST_CASE("get_stack: one line a suspended frame, innermost last; none once it is done") {
  aio::EventLoop loop(virtual_time);
  const auto task = loop.create_task(outer_of_stack());
  CHECK(task.get_stack().size() == 1);
  run_briefly(loop);
  const auto stack = task.get_stack();
  REQUIRE(stack.size() == 3);
  CHECK(holds(stack[0], "outer_of_stack"));
  CHECK(holds(stack[0], "test_task.cpp:"));
  CHECK(holds(stack[1], "inner_of_stack"));
  CHECK(holds(stack[2], "sleep()"));
  loop.run_until_complete(task);
  CHECK(task.get_stack().empty());
}

TEST_CASE("get_stack: none of a task that was cancelled before it began, or is one operation") {
  aio::EventLoop loop(virtual_time);
  const auto cancelled = loop.create_task(outer_of_stack());
  cancelled.cancel();
  const auto operation = loop.create_task(aio::sleep(1s));
  run_briefly(loop);
  CHECK(cancelled.get_stack().empty());
  CHECK(operation.get_stack().size() == 1);
  loop.run_until_complete(operation);
  CHECK(operation.get_stack().empty());
}

// ---------------------------------------------------------------- cancellation

Coroutine<int> swallow(int times) {
  int swallowed = 0;
  while (swallowed < times) {
    try {
      co_await aio::sleep(1h);
    } catch (const CancelledError&) {
      ++swallowed;
    }
  }
  co_return swallowed;
}

TEST_CASE("cancel: may be swallowed any number of times; the requests count") {
  aio::EventLoop loop(virtual_time);
  const auto task = loop.create_task(swallow(100));
  run_briefly(loop);
  for (int i = 1; i < 100; ++i) {
    CHECK(task.cancel());
    CHECK(task.cancelling() == i);
    run_briefly(loop);
    CHECK_FALSE(task.done());
  }
  task.cancel();
  CHECK(loop.run_until_complete(task) == 100);
}

TEST_CASE("cancel: more requests than anybody counts do not start again at none") {
  aio::EventLoop loop(virtual_time);
  const auto task = loop.create_task(aio::sleep(1h));
  for (int i = 0; i < 70'000; ++i) task.cancel();
  CHECK(task.cancelling() > 60'000);
  CHECK_THROWS_AS(loop.run_until_complete(task), CancelledError);
}

Coroutine<> yield_once() { co_await aio::yield(); }

TEST_CASE("uncancel: before the request is delivered, it never is") {
  aio::EventLoop loop(virtual_time);
  const auto running = loop.create_task(yield_once());
  run_once(loop);
  running.cancel();
  CHECK(running.uncancel() == 0);
  loop.run_until_complete(running);
  CHECK_FALSE(running.cancelled());
  CHECK(running.uncancel() == 0);
}

TEST_CASE("cancel: of a task whose sleep is over, but which has not gone on, still cancels it") {
  aio::EventLoop loop(virtual_time);
  const auto task = loop.create_task(aio::sleep(1s));
  loop.call_later(1s, [&] { CHECK(task.cancel()); });
  CHECK_THROWS_AS(loop.run_until_complete(task), CancelledError);
  CHECK(task.cancelled());
}

Coroutine<int> await_job(Future<int> job) { co_return co_await job; }

TEST_CASE("cancel: cancels a queued job that is awaited; does not wait for one that runs") {
  ThreadPoolExecutor pool(1);
  aio::EventLoop loop;
  Gate gate;
  const auto running = pool.submit([&] {
    gate.pass();
    return 1;
  });
  const auto queued = pool.submit([] { return 2; });
  gate.wait_for_arrivals(1);
  const auto first = loop.create_task(await_job(running));
  const auto second = loop.create_task(await_job(queued));
  run_briefly(loop);
  first.cancel();
  second.cancel();
  CHECK(queued.cancelled());
  CHECK_THROWS_AS(loop.run_until_complete(first), CancelledError);
  CHECK_THROWS_AS(loop.run_until_complete(second), CancelledError);
  CHECK_FALSE(running.done());
  gate.open();
  CHECK(running.result() == 1);
}

// ---------------------------------------------------------------- results and handles

struct ThrowsWhenMoved {
  ThrowsWhenMoved() = default;
  ThrowsWhenMoved(ThrowsWhenMoved&& other) : fuse(other.fuse - 1) {
    if (fuse == 0) throw TestError("moved too often");
  }
  int fuse = 2;
};

Coroutine<ThrowsWhenMoved> give_explosive() { co_return ThrowsWhenMoved(); }

TEST_CASE("a task: whose result cannot be moved fails with what its constructor threw") {
  aio::EventLoop loop;
  const auto task = loop.create_task(give_explosive());
  run_briefly(loop);
  CHECK_THROWS_AS(static_cast<void>(task.result()), TestError);
}

Coroutine<std::unique_ptr<int>> give_unique() { co_return std::make_unique<int>(7); }

Coroutine<int> take_unique() {
  const auto direct = co_await give_unique();
  const std::unique_ptr<int> from_task = co_await aio::create_task(give_unique());
  co_return *direct + *from_task;
}

TEST_CASE("results: that can only be moved come through awaits, tasks and runs") {
  aio::EventLoop loop;
  CHECK(loop.run_until_complete(take_unique()) == 14);
  CHECK(*loop.run_until_complete(give_unique()) == 7);
}

Coroutine<> hold(std::shared_ptr<std::optional<aio::Task<>>> own, LifetimeTracked) {
  co_await aio::yield();
  CHECK(own->has_value());
}

TEST_CASE("handles: a task whose frame holds its own handle is destroyed at its end") {
  LifetimeCounts counts;
  aio::EventLoop loop;
  {
    const auto own = std::make_shared<std::optional<aio::Task<>>>();
    *own = loop.create_task(hold(own, LifetimeTracked(counts)));
  }
  for (int i = 0; i < 3; ++i) run_briefly(loop);
  CHECK(counts.live == 0);
}

TEST_CASE("handles: a dropped handle changes nothing, an empty one says so") {
  aio::EventLoop loop;
  LifetimeCounts counts;
  {
    const auto holder = std::make_shared<std::optional<aio::Task<>>>(aio::Task<>());
    static_cast<void>(loop.create_task(hold(holder, LifetimeTracked(counts))));
  }
  CHECK(counts.live == 1);
  for (int i = 0; i < 3; ++i) run_briefly(loop);
  CHECK(counts.live == 0);
  const aio::Task<> empty;
  CHECK_FALSE(empty.valid());
  CHECK_THROWS_AS(empty.cancel(), InvalidStateError);
  CHECK_THROWS_AS(static_cast<void>(empty.get_name()), InvalidStateError);
  CHECK_THROWS_AS(aio::AnyTask{empty}, InvalidStateError);
}

TEST_CASE("AnyTask: stands for a task of any type") {
  aio::EventLoop loop(virtual_time);
  const auto task = loop.create_task(aio::sleep(1h), {.name = "one"});
  const auto other = loop.create_task(give(1));
  const aio::AnyTask any = task;
  CHECK(any == aio::AnyTask(task));
  CHECK_FALSE(any == aio::AnyTask(other));
  CHECK(any.get_name() == "one");
  CHECK(any.cancel("by any"));
  CHECK(any.cancelling() == 1);
  CHECK(any.uncancel() == 0);
  CHECK(any.cancel());
  CHECK_THROWS_AS(loop.run_until_complete(task), CancelledError);
  CHECK(any.done());
  CHECK(loop.run_until_complete(other) == 1);
}

Coroutine<> await_twice() {
  auto coroutine = give(1);
  CHECK(co_await std::move(coroutine) == 1);
  bool refused = false;
  try {
    co_await std::move(coroutine);
  } catch (const InvalidStateError&) {
    refused = true;
  }
  CHECK(refused);
}

TEST_CASE("a coroutine: runs once, whether it is awaited or made a task") {
  aio::EventLoop loop;
  loop.run_until_complete(await_twice());
  auto coroutine = give(1);
  const auto task = loop.create_task(std::move(coroutine));
  CHECK_THROWS_AS(loop.create_task(std::move(coroutine)), InvalidStateError);
  CHECK(loop.run_until_complete(task) == 1);
  CHECK(aio::all_tasks(loop).empty());
}

TEST_CASE("done-callbacks: of a task run in the loop, where they may make tasks and throw") {
  aio::EventLoop loop;
  const Reports reports(loop);
  std::optional<aio::Task<int>> next;
  const auto task = loop.create_task(give(1));
  task.add_done_callback([](const auto&) { throw 42; });
  task.add_done_callback(
      [&](const auto& done) { next = loop.create_task(give(done.result() + 1)); });
  loop.run_until_complete(task);
  run_briefly(loop);
  REQUIRE(next);
  CHECK(loop.run_until_complete(*next) == 2);
  REQUIRE(reports.size() == 1);
  CHECK(reports.holds_error<int>());
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
