// timeout and wait_for: what CPython's suite leaves out.
#include <doctest/doctest.h>

#include <memory>
#include <plait/executors/thread_pool_executor.hpp>

#include "support/gate.hpp"
#include "support/lifetime_tracked.hpp"
#include "support/log_capture.hpp"
#include "support/loop_work.hpp"

namespace plait::test {
namespace {

using aio::Timeout;

TEST_SUITE_BEGIN("loop/timeout");

Coroutine<> give_results() {
  const auto value =
      co_await aio::timeout(seconds(1), [](Timeout&) -> Coroutine<std::unique_ptr<int>> {
        co_await aio::yield();
        co_return std::make_unique<int>(4);
      });
  CHECK(*value == 4);
  auto make = []() -> Coroutine<std::unique_ptr<int>> { co_return std::make_unique<int>(5); };
  CHECK(*co_await aio::wait_for(make(), seconds(1)) == 5);
  CHECK(*co_await aio::wait_for(aio::create_task(make()), seconds(1)) == 5);
}

TEST_CASE("timeout: gives the body's result, which may be move-only") {
  run_virtual(give_results());
}

Coroutine<> struck_without_await() {
  co_await aio::timeout(Duration::zero(), [](Timeout& timeout) -> Coroutine<> {
    CHECK_FALSE(timeout.expired());
    co_return;
  });
  for (int i = 0; i < 3; ++i) co_await aio::yield();
  CHECK(aio::current_task()->cancelling() == 0);
}

TEST_CASE("timeout: a deadline that is in the ready queue at the end does no harm") {
  run_virtual(struck_without_await());
}

// Both the deadline and somebody else cancel: the request of the other one wins.
Coroutine<> cancelled_twice(bool deadline_first) {
  auto body = [](Timeout&) -> Coroutine<> { co_await aio::sleep(seconds(10)); };
  auto main = [](auto inner) -> Coroutine<> { co_await aio::timeout(seconds(1), inner); };
  const auto task = aio::create_task(main(body));
  auto& loop = aio::get_running_loop();
  if (deadline_first) co_await aio::yield();
  loop.call_later(seconds(1), [task] { task.cancel(); });
  CHECK((co_await ending_of(await_task(task))) == "cancelled");
  CHECK(task.cancelling() == 1);
}

TEST_CASE("timeout: a foreign cancellation in the same iteration comes out") {
  run_virtual(cancelled_twice(true));
  run_virtual(cancelled_twice(false));
}

Coroutine<> nest_deeply(int depth) {
  if (depth == 0) {
    co_await aio::sleep(seconds(1000));
    co_return;
  }
  co_await aio::timeout(seconds(depth), [depth](Timeout&) { return nest_deeply(depth - 1); });
}

TEST_CASE("timeout: a thousand scopes in one another") {
  CHECK_THROWS_AS(run_virtual(nest_deeply(1000)), TimeoutError);
}

Coroutine<> group_in_timeout() {
  int cancelled = 0;
  const auto ending = co_await ending_of(aio::timeout(seconds(1), [&](Timeout&) -> Coroutine<> {
    co_await aio::task_group([&](aio::TaskGroup& group) -> Coroutine<> {
      group.create_task(count_cancel(seconds(10), cancelled));
      co_return;
    });
  }));
  CHECK(ending == "timeout");
  CHECK(cancelled == 1);
  CHECK(aio::current_task()->cancelling() == 0);
}

Coroutine<> timeout_in_group() {
  std::string ending;
  co_await aio::task_group([&](aio::TaskGroup& group) -> Coroutine<> {
    group.create_task(nap_for(seconds(5)));
    auto body = [](Timeout&) -> Coroutine<> { co_await aio::sleep(seconds(10)); };
    ending = co_await ending_of(aio::timeout(seconds(1), body));
  });
  CHECK(ending == "timeout");
}

TEST_CASE("timeout: around a task group and inside one") {
  run_virtual(group_in_timeout());
  run_virtual(timeout_in_group());
}

Coroutine<> leave_running_job() {
  ThreadPoolExecutor pool(1);
  Gate started, gate;
  const auto job = pool.submit([&] {
    started.open();
    gate.pass();
    return 1;
  });
  started.pass();
  CHECK((co_await ending_of(aio::wait_for(job, Duration::zero()))) == "timeout");
  auto& loop = aio::get_running_loop();
  CHECK((co_await ending_of(aio::timeout_at(
            loop.time(), [&](Timeout&) -> Coroutine<> { co_await job; }))) == "timeout");
  gate.open();
  CHECK((co_await aio::wait_for(job, std::nullopt)) == 1);
}

TEST_CASE("wait_for: does not wait for a running job after the timeout") {
  run_virtual(leave_running_job());
}

Coroutine<> keep_captures(LifetimeCounts& counts) {
  LifetimeTracked tracked(counts);
  auto body = [tracked = std::move(tracked), &counts](Timeout&) -> Coroutine<> {
    co_await aio::sleep(seconds(1));
    CHECK(counts.live > 1);
  };
  co_await aio::timeout(seconds(2), std::move(body));
}

TEST_CASE("timeout: the captures of the body live as long as its coroutine") {
  LifetimeCounts counts;
  run_virtual(keep_captures(counts));
  CHECK(counts.live == 0);
}

Coroutine<> whatever_it_throws() {
  auto throw_number = [](Timeout&) -> Coroutine<> {
    throw 42;
    co_return;
  };
  bool caught = false;
  try {
    co_await aio::timeout(seconds(1), throw_number);
  } catch (int number) {
    caught = number == 42;
  }
  CHECK(caught);
}

TEST_CASE("timeout: lets through whatever the body throws") { run_virtual(whatever_it_throws()); }

Coroutine<> keep_scope(std::optional<Timeout>& kept) {
  co_await aio::timeout(seconds(1000), [&](Timeout& timeout) -> Coroutine<> {
    kept = timeout;
    co_await aio::sleep(seconds(2000));
  });
}

TEST_CASE("timeout: a loop may be closed meanwhile") {
  const LogCapture log;
  std::optional<Timeout> kept;
  {
    aio::EventLoop loop;
    loop.create_task(keep_scope(kept));
    loop.call_soon([&] { loop.stop(); });
    loop.run_forever();
  }
  CHECK_FALSE(kept->expired());
  CHECK(log.count("was destroyed but it is pending") == 1);
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
