// CPython's test_taskgroups.
// Left out: entering a group twice or not at all, which task_group() makes impossible; groups
// outside of a task, as every coroutine of a loop is in one; context=, whose matter is in
// test_tasks; [BASE] cases; iterators, repr and reference cycles.
#include <doctest/doctest.h>

#include "support/loop_work.hpp"

namespace plait::test {
namespace {

using aio::TaskGroup;

TEST_SUITE_BEGIN("conformance/test_taskgroups");

// The texts of the errors that the group `coro` ended with.
template <class T>
Coroutine<std::vector<std::string>> errors_of(Coroutine<T> coro) {
  try {
    co_await std::move(coro);
  } catch (const ExceptionGroup& group) {
    co_return texts_of(group);
  }
  co_return std::vector<std::string>();
}

Coroutine<> two_children(Duration pause) {
  std::vector<Future<int>> tasks;
  co_await aio::task_group([&](TaskGroup& group) -> Coroutine<> {
    tasks.push_back(group.create_task(sleep_then(milliseconds(100), 42)));
    if (pause > Duration::zero()) co_await aio::sleep(pause);
    tasks.push_back(group.create_task(sleep_then(milliseconds(200), 11)));
  });
  CHECK(tasks[0].result() == 42);
  CHECK(tasks[1].result() == 11);
}

TEST_CASE(
    "task_group: its end waits for all children [cpython test_taskgroups.test_taskgroup_01] "
    "[cpython test_taskgroups.test_taskgroup_02]") {
  run_virtual(two_children(Duration::zero()));
  run_virtual(two_children(milliseconds(150)));
}

Coroutine<> cancel_one_child() {
  aio::Task<int> first, second;
  co_await aio::task_group([&](TaskGroup& group) -> Coroutine<> {
    first = group.create_task(sleep_then(milliseconds(100), 42));
    second = group.create_task(sleep_then(milliseconds(200), 11));
    co_await aio::yield();
    first.cancel();
  });
  CHECK(first.cancelled());
  CHECK(second.result() == 11);
}

TEST_CASE(
    "task_group: a child that is cancelled is no failure [cpython "
    "test_taskgroups.test_taskgroup_03]") {
  run_virtual(cancel_one_child());
}

Coroutine<> fail_one_child() {
  aio::Task<int> second;
  bool reached = false;
  const auto errors = co_await errors_of([](auto& task, bool& after) -> Coroutine<> {
    co_await aio::task_group([&](TaskGroup& group) -> Coroutine<> {
      group.create_task(fail_after(milliseconds(100), "one"));
      task = group.create_task(sleep_then(seconds(100), 11));
      co_return;
    });
    after = true;
  }(second, reached));
  CHECK(errors == list_of(std::string("one")));
  CHECK(second.cancelled());
  CHECK_FALSE(reached);
}

TEST_CASE(
    "task_group: a failure cancels the others and comes out as a group [cpython "
    "test_taskgroups.test_taskgroup_04]") {
  run_virtual(fail_one_child());
}

Coroutine<> fail_three_children() {
  int cancelled = 0;
  const auto errors = co_await errors_of(aio::task_group([&](TaskGroup& group) -> Coroutine<> {
    for (int i = 0; i < 3; ++i) {
      group.create_task(fail_after(milliseconds(100), std::to_string(i)));
    }
    group.create_task(count_cancel(seconds(10), cancelled));
    co_await count_cancel(seconds(10), cancelled);
  }));
  CHECK(errors.size() == 3);
  CHECK(cancelled == 2);
}

TEST_CASE(
    "task_group: body and children are cancelled, which is no error of its own [cpython "
    "test_taskgroups.test_cancel_children_on_child_error]") {
  run_virtual(fail_three_children());
}

Coroutine<> five_children(int& cancelled, Duration body_time) {
  co_await aio::task_group([&, body_time](TaskGroup& group) -> Coroutine<> {
    for (int i = 0; i < 5; ++i) group.create_task(count_cancel(seconds(10), cancelled));
    if (body_time > Duration::zero()) co_await count_cancel(body_time, cancelled);
  });
}

Coroutine<> cancel_from_outside(Duration body_time, int expected) {
  int cancelled = 0;
  const auto task = aio::create_task(five_children(cancelled, body_time));
  co_await aio::sleep(milliseconds(100));
  CHECK_FALSE(task.done());
  task.cancel("stop");
  try {
    co_await task;
    FAIL_CHECK("the group was not cancelled");
  } catch (const CancelledError& error) {
    CHECK(error.message() == "stop");
  }
  CHECK(cancelled == expected);
}

TEST_CASE(
    "task_group: a cancellation from outside reaches the children and comes out [cpython "
    "test_taskgroups.test_cancellation] [cpython test_taskgroups.test_taskgroup_07] [cpython "
    "test_taskgroups.test_taskgroup_22]") {
  run_virtual(cancel_from_outside(Duration::zero(), 5));
  run_virtual(cancel_from_outside(seconds(5), 6));
}

Coroutine<> fail_body(Duration delay, int expected_cancelled) {
  int cancelled = 0;
  std::vector<aio::Task<int>> tasks;
  const auto errors =
      co_await errors_of(aio::task_group([&, delay](TaskGroup& group) -> Coroutine<> {
        tasks.push_back(group.create_task(count_cancel(seconds(10), cancelled)));
        tasks.push_back(group.create_task(count_cancel(seconds(10), cancelled)));
        if (delay > Duration::zero()) co_await aio::sleep(delay);
        throw WorkError("body");
      }));
  CHECK(errors == list_of(std::string("body")));
  CHECK(tasks[0].cancelled());
  CHECK(tasks[1].cancelled());
  CHECK(cancelled == expected_cancelled);
}

TEST_CASE(
    "task_group: the body's error cancels the children and comes out as a group [cpython "
    "test_taskgroups.test_taskgroup_09] [cpython test_taskgroups.test_taskgroup_10]") {
  run_virtual(fail_body(milliseconds(100), 2));
  run_virtual(fail_body(Duration::zero(), 0));
}

Coroutine<> nest_groups() {
  aio::Task<int> outer_child;
  try {
    co_await aio::task_group([&](TaskGroup& outer) -> Coroutine<> {
      outer_child = outer.create_task(sleep_then(seconds(10), 1));
      co_await aio::task_group([](TaskGroup& inner) -> Coroutine<> {
        inner.create_task(fail_after(milliseconds(1), "inner"));
        co_await aio::sleep(seconds(10));
      });
    });
    FAIL_CHECK("no error came out");
  } catch (const ExceptionGroup& group) {
    REQUIRE(group.exceptions().size() == 1);
    CHECK_THROWS_AS(std::rethrow_exception(group.exceptions()[0]), ExceptionGroup);
  }
  CHECK(outer_child.cancelled());
}

TEST_CASE(
    "task_group: the inner group's errors are one error of the outer one [cpython "
    "test_taskgroups.test_taskgroup_14]") {
  run_virtual(nest_groups());
}

Coroutine<> empty_group(int& cancelled) {
  co_await aio::task_group(
      [&](TaskGroup&) -> Coroutine<> { co_await count_cancel(seconds(10), cancelled); });
}

Coroutine<> cancel_empty_group() {
  int cancelled = 0;
  const auto task = aio::create_task(empty_group(cancelled));
  co_await aio::yield();
  task.cancel();
  CHECK((co_await ending_of(await_task(task))) == "cancelled");
  CHECK(cancelled == 1);
}

TEST_CASE(
    "task_group: without children the body is cancelled once [cpython "
    "test_taskgroups.test_taskgroup_17]") {
  run_virtual(cancel_empty_group());
}

Coroutine<> fail_in_cleanup() {
  const auto errors = co_await errors_of(aio::task_group([](TaskGroup& group) -> Coroutine<> {
    group.create_task(fail_after(milliseconds(1), "child"));
    try {
      co_await aio::sleep(seconds(10));
    } catch (const CancelledError&) {
      throw WorkError("cleanup");
    }
  }));
  CHECK(errors == list_of(std::string("child"), std::string("cleanup")));
}

TEST_CASE(
    "task_group: what the cancelled body throws joins the group [cpython "
    "test_taskgroups.test_taskgroup_19]") {
  run_virtual(fail_in_cleanup());
}

Coroutine<> children_over_time() {
  co_await aio::task_group([](TaskGroup& group) -> Coroutine<> {
    for (int i = 0; i < 3; ++i) {
      group.create_task(sleep_then(milliseconds(10), i));
      co_await aio::sleep(milliseconds(20));
    }
    group.create_task(sleep_then(milliseconds(10), 4));
  });
}

TEST_CASE(
    "task_group: children may come and go while it is open [cpython "
    "test_taskgroups.test_taskgroup_23]") {
  run_virtual(children_over_time());
}

Coroutine<> spawn(TaskGroup& group, int depth, int& count) {
  ++count;
  co_await aio::sleep(milliseconds(1));
  if (depth == 0) co_return;
  group.create_task(spawn(group, depth - 1, count));
  group.create_task(spawn(group, depth - 1, count));
}

Coroutine<> children_of_children() {
  int count = 0;
  co_await aio::task_group([&](TaskGroup& group) -> Coroutine<> {
    group.create_task(spawn(group, 4, count));
    co_return;
  });
  CHECK(count == 31);
}

TEST_CASE(
    "task_group: children of children are waited for, too [cpython "
    "test_taskgroups.test_taskgroup_24]") {
  run_virtual(children_of_children());
}

Coroutine<> multiply(TaskGroup& group) {
  for (;;) {
    co_await aio::sleep(milliseconds(10));
    group.create_task(nap_for(seconds(100)));
  }
}

Coroutine<> fail_among_many() {
  const auto errors = co_await errors_of(aio::task_group([](TaskGroup& group) -> Coroutine<> {
    group.create_task(multiply(group));
    group.create_task(fail_after(milliseconds(200), "late"));
    co_return;
  }));
  CHECK(errors == list_of(std::string("late")));
}

TEST_CASE(
    "task_group: a failure ends children that multiply [cpython "
    "test_taskgroups.test_taskgroup_25]") {
  run_virtual(fail_among_many());
}

Coroutine<> check_name() {
  CHECK(aio::current_task()->get_name() == "yolo");
  co_return;
}

Coroutine<> named_child() {
  co_await aio::task_group([](TaskGroup& group) -> Coroutine<> {
    aio::TaskOptions options;
    options.name = "yolo";
    const auto task = group.create_task(check_name(), options);
    CHECK(task.get_name() == "yolo");
    co_return;
  });
}

TEST_CASE("task_group: children have names [cpython test_taskgroups.test_taskgroup_task_name]") {
  run_virtual(named_child());
}

Coroutine<> use_after_end() {
  std::optional<TaskGroup> kept;
  co_await aio::task_group([&](TaskGroup& group) -> Coroutine<> {
    kept = group;
    co_return;
  });
  bool started = false;
  auto late = [](bool& flag) -> Coroutine<> {
    flag = true;
    co_return;
  };
  CHECK_THROWS_AS(kept->create_task(late(started)), RuntimeError);
  kept->cancel();
  co_await settle();
  CHECK_FALSE(started);
}

TEST_CASE(
    "task_group: takes no task after its end [cpython test_taskgroups.test_taskgroup_finished]") {
  run_virtual(use_after_end());
}

Coroutine<> fail_eagerly() {
  const auto errors = co_await errors_of(aio::task_group([](TaskGroup& group) -> Coroutine<> {
    aio::TaskOptions options;
    options.eager_start = true;
    auto fail = []() -> Coroutine<> {
      throw WorkError("eager");
      co_return;
    };
    group.create_task(fail(), options);
    co_return;
  }));
  CHECK(errors == list_of(std::string("eager")));
  co_await aio::yield();
}

TEST_CASE(
    "task_group: its cancellation of the body does not leak out [cpython "
    "test_taskgroups.test_cancellation_does_not_leak_out_of_tg]") {
  run_virtual(fail_eagerly());
}

Coroutine<int> throw_cancelled() {
  co_await aio::yield();
  throw CancelledError("by itself");
}

Coroutine<> child_cancels_itself() {
  aio::Task<int> other;
  co_await aio::task_group([&](TaskGroup& group) -> Coroutine<> {
    group.create_task(throw_cancelled());
    other = group.create_task(sleep_then(milliseconds(10), 1));
    co_return;
  });
  CHECK(other.result() == 1);
}

TEST_CASE(
    "task_group: a child that throws CancelledError is no failure [cpython "
    "derived.taskgroup_child_cancelled_error]") {
  run_virtual(child_cancels_itself());
}

Coroutine<> interrupt_busy_body() {
  int steps = 0;
  const auto errors = co_await errors_of(aio::task_group([&](TaskGroup& group) -> Coroutine<> {
    group.create_task(fail_after(Duration::zero(), "early"));
    for (; steps < 100; ++steps) co_await aio::yield();
  }));
  CHECK(errors == list_of(std::string("early")));
  CHECK(steps < 5);
}

TEST_CASE(
    "task_group: the body is interrupted at its next await [cpython "
    "derived.taskgroup_body_cancelled_at_next_await]") {
  run_virtual(interrupt_busy_body());
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
