// task_group and staggered_race: what CPython's suite leaves out.
#include <doctest/doctest.h>

#include <memory>
#include <plait/executors/thread_pool_executor.hpp>

#include "support/lifetime_tracked.hpp"
#include "support/log_capture.hpp"
#include "support/loop_work.hpp"

namespace plait::test {
namespace {

using aio::TaskGroup;

TEST_SUITE_BEGIN("loop/task_group");

Coroutine<> give_results() {
  const auto value = co_await aio::task_group([](TaskGroup&) -> Coroutine<std::unique_ptr<int>> {
    co_await aio::yield();
    co_return std::make_unique<int>(4);
  });
  CHECK(*value == 4);
  co_await aio::task_group([](TaskGroup& group) -> Coroutine<> {
    group.create_task(nap_for(seconds(1)));
    co_return;
  });
}

TEST_CASE("task_group: gives the body's result, which may be move-only or nothing") {
  run_virtual(give_results());
}

Coroutine<> cancel_group() {
  int cancelled = 0;
  bool after = false;
  co_await aio::task_group([&](TaskGroup& group) -> Coroutine<> {
    group.create_task(count_cancel(seconds(10), cancelled));
    co_await aio::yield();
    group.cancel();
    group.cancel();
    CHECK_THROWS_AS(group.create_task(nap_for(seconds(1))), RuntimeError);
    co_await aio::yield();
    after = true;
  });
  CHECK(cancelled == 1);
  CHECK_FALSE(after);
  CHECK(aio::current_task()->cancelling() == 0);
  co_await aio::yield();
}

Coroutine<> cancel_at_end() {
  int cancelled = 0;
  const int value = co_await aio::task_group([&](TaskGroup& group) -> Coroutine<int> {
    group.create_task(count_cancel(seconds(10), cancelled));
    aio::get_running_loop().call_later(seconds(1), [group]() mutable { group.cancel(); });
    co_return 3;
  });
  CHECK(value == 3);
  CHECK(cancelled == 1);
}

Coroutine<> cancel_without_result() {
  const auto ending = co_await ending_of(aio::task_group([](TaskGroup& group) -> Coroutine<int> {
    group.cancel();
    co_await aio::yield();
    co_return 3;
  }));
  CHECK(ending == "cancelled");
  CHECK(aio::current_task()->cancelling() == 0);
}

TEST_CASE("task_group: cancel() ends body and children, and is no error [cpython 3.15]") {
  run_virtual(cancel_group());
  run_virtual(cancel_at_end());
  run_virtual(cancel_without_result());
}

Coroutine<> fail_while_cancelled(int& cancelling) {
  std::string ending;
  try {
    co_await aio::task_group([](TaskGroup& group) -> Coroutine<> {
      auto fail_late = []() -> Coroutine<> {
        try {
          co_await aio::sleep(seconds(10));
        } catch (const CancelledError&) {
          throw WorkError("late");
        }
      };
      group.create_task(fail_late());
      co_await aio::sleep(seconds(10));
    });
  } catch (const ExceptionGroup&) {
    ending = "group";
  }
  CHECK(ending == "group");
  cancelling = aio::current_task()->cancelling();
  co_await aio::yield();
  FAIL_CHECK("the cancellation from outside was lost");
}

Coroutine<> keep_count() {
  int cancelling = 0;
  const auto task = aio::create_task(fail_while_cancelled(cancelling));
  co_await aio::yield();
  co_await aio::yield();
  task.cancel();
  CHECK((co_await ending_of(await_task(task))) == "cancelled");
  CHECK(cancelling == 1);
}

TEST_CASE("task_group: errors hide a cancellation from outside, which the next await meets") {
  run_virtual(keep_count());
}

Coroutine<> many_children(int count) {
  long sum = 0;
  auto add = [](long& total, int value) -> Coroutine<> {
    co_await aio::yield();
    total += value;
  };
  co_await aio::task_group([&, count](TaskGroup& group) -> Coroutine<> {
    for (int i = 0; i < count; ++i) group.create_task(add(sum, i));
    co_return;
  });
  CHECK(sum == count * (count - 1L) / 2);
}

TEST_CASE("task_group: 100,000 children") { run_virtual(many_children(100'000)); }

Coroutine<int> nested_groups(int depth) {
  if (depth == 0) co_return 1;
  co_return co_await aio::task_group([depth](TaskGroup& group) -> Coroutine<int> {
    const auto a = group.create_task(nested_groups(depth - 1));
    const auto b = group.create_task(nested_groups(depth - 1));
    co_return co_await a + co_await b;
  });
}

TEST_CASE("task_group: groups in groups") { CHECK(run_virtual(nested_groups(10)) == 1024); }

Coroutine<> keep_captures(LifetimeCounts& counts) {
  LifetimeTracked tracked(counts);
  auto body = [tracked = std::move(tracked), &counts](TaskGroup& group) -> Coroutine<> {
    group.create_task(nap_for(seconds(1)));
    co_await aio::sleep(seconds(2));
    CHECK(counts.live > 1);
  };
  co_await aio::task_group(std::move(body));
}

TEST_CASE("task_group: the captures of the body live as long as its coroutine") {
  LifetimeCounts counts;
  run_virtual(keep_captures(counts));
  CHECK(counts.live == 0);
}

Coroutine<> group_for_ever(Future<int> job) {
  co_await aio::task_group([&job](TaskGroup& group) -> Coroutine<> {
    group.create_task(await_future(job));
    for (int i = 0; i < 3; ++i) group.create_task(nap_for(seconds(1000)));
    co_return;
  });
}

TEST_CASE("task_group: a loop may be closed while a group waits") {
  const LogCapture log;
  const Promise<int> promise;
  {
    aio::EventLoop loop;
    loop.create_task(group_for_ever(promise.get_future()));
    loop.call_soon([&] { loop.call_soon([&] { loop.stop(); }); });
    loop.run_forever();
  }
  CHECK(log.count("was destroyed but it is pending") >= 4);
}

Coroutine<> throw_from_body() {
  const auto ending = co_await ending_of(aio::task_group([](TaskGroup&) -> Coroutine<> {
    throw 42;
    co_return;
  }));
  CHECK(ending.find("unhandled errors in a TaskGroup (1 error") == 0);
  auto no_coroutine = [](TaskGroup&) -> Coroutine<> { throw WorkError("no coroutine"); };
  CHECK((co_await ending_of(aio::task_group(no_coroutine))).find("no coroutine") !=
        std::string::npos);
}

TEST_CASE("task_group: whatever the body throws is in the group") {
  run_virtual(throw_from_body());
}

Coroutine<> use_pool() {
  ThreadPoolExecutor pool(2);
  std::vector<Future<int>> tasks;
  co_await aio::task_group([&](TaskGroup& group) -> Coroutine<> {
    for (int i = 0; i < 50; ++i) {
      tasks.push_back(group.create_task(await_future(pool.submit([i] { return i; }))));
    }
    co_return;
  });
  int sum = 0;
  for (const auto& task : tasks) sum += task.result();
  CHECK(sum == 50 * 49 / 2);
}

TEST_CASE("task_group: its children may await an executor's futures") { run_virtual(use_pool()); }

// ---------------------------------------------------------------- staggered_race

using Candidates = std::vector<std::function<Coroutine<>()>>;

Coroutine<> race_for_ever(int& cancelled) {
  Candidates candidates;
  for (int i = 0; i < 3; ++i) {
    candidates.emplace_back(
        [&cancelled]() -> Coroutine<> { co_await count_cancel(seconds(1000), cancelled); });
  }
  co_await aio::staggered_race(std::move(candidates), milliseconds(10));
}

Coroutine<> cancel_race() {
  int cancelled = 0;
  const auto task = aio::create_task(race_for_ever(cancelled));
  co_await aio::sleep(milliseconds(15));
  task.cancel();
  CHECK((co_await ending_of(await_task(task))) == "cancelled");
  CHECK(cancelled == 2);
}

TEST_CASE("staggered_race: its cancellation cancels those that run") { run_virtual(cancel_race()); }

Coroutine<> race_without_results() {
  Candidates candidates;
  candidates.emplace_back([]() -> Coroutine<> { throw WorkError("no coroutine"); });
  candidates.emplace_back([] { return nap_for(seconds(1)); });
  const auto result = co_await aio::staggered_race(std::move(candidates));
  CHECK(result.winner.has_value());
  CHECK(result.index == 1U);
  CHECK(result.exceptions.size() == 2);
  std::vector<std::function<Coroutine<std::unique_ptr<int>>()>> movable;
  movable.emplace_back(
      []() -> Coroutine<std::unique_ptr<int>> { co_return std::make_unique<int>(6); });
  const auto moved = co_await aio::staggered_race(std::move(movable));
  CHECK(**moved.winner == 6);
}

TEST_CASE("staggered_race: results may be nothing or move-only, and candidates may throw") {
  run_virtual(race_without_results());
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
