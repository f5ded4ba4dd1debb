// The awaited wait() and as_completed(): what CPython's suite leaves out.
#include <doctest/doctest.h>

#include <memory>
#include <plait/executors/thread_pool_executor.hpp>

#include "support/gate.hpp"
#include "support/log_capture.hpp"
#include "support/loop_work.hpp"

namespace plait::test {
namespace {

using Futures = std::vector<Future<int>>;

TEST_SUITE_BEGIN("loop/wait");

Coroutine<> wait_for_pool() {
  ThreadPoolExecutor pool(4);
  Gate gate;
  Futures jobs;
  for (int i = 0; i < 200; ++i) jobs.push_back(pool.submit([i] { return i; }));
  CHECK((co_await aio::wait(jobs)).done.size() == 200);
  const auto stuck = pool.submit([&gate] {
    gate.pass();
    return 1;
  });
  WaitOptions options;
  options.return_when = FIRST_COMPLETED;
  const auto result = co_await aio::wait(list_of(stuck, jobs[0]), options);
  CHECK(result.not_done == Futures{stuck});
  gate.open();
  CHECK((co_await aio::wait(list_of(stuck))).done.size() == 1);
}

TEST_CASE("wait: takes an executor's futures, which end in other threads") {
  run_virtual(wait_for_pool());
}

Coroutine<> give_up_on_pool() {
  ThreadPoolExecutor pool(1);
  Gate gate;
  const auto job = pool.submit([&gate] {
    gate.pass();
    return 1;
  });
  const auto waiter = aio::create_task(aio::wait(list_of(job)));
  co_await aio::yield();
  waiter.cancel();
  CHECK((co_await ending_of(await_task(waiter))) == "cancelled");
  CHECK_FALSE(job.done());
  gate.open();
  CHECK((co_await job) == 1);
}

TEST_CASE("wait: its cancellation leaves the futures alone") { run_virtual(give_up_on_pool()); }

Coroutine<> time_and_end_at_once() {
  WaitOptions options;
  options.timeout = seconds(1);
  for (int i = 0; i < 3; ++i) {
    const auto task = aio::create_task(sleep_then(seconds(1), i));
    if (i == 1) co_await aio::yield();
    const auto waiter = aio::create_task(aio::wait(list_of(task), options));
    if (i == 2) aio::get_running_loop().call_later(seconds(1), [waiter] { waiter.cancel(); });
    co_await ending_of(await_task(waiter));
    CHECK(waiter.done());
  }
  options.timeout = Duration::zero();
  const auto task = aio::create_task(sleep_then(seconds(1), 1));
  CHECK((co_await aio::wait(list_of(task), options)).not_done.size() == 1);
}

TEST_CASE("wait: timeout, end and cancellation may come in one iteration") {
  run_virtual(time_and_end_at_once());
}

Coroutine<> wait_for_other_loop(Future<int> other) {
  CHECK((co_await ending_of(aio::wait(list_of(other)))).find("another loop") != std::string::npos);
  CHECK_THROWS_AS(aio::as_completed(list_of(other)), std::invalid_argument);
}

TEST_CASE("wait: another loop's future is refused") {
  aio::EventLoop other;
  auto promise = other.create_promise<int>();
  run_virtual(wait_for_other_loop(promise.get_future()));
}

TEST_CASE("wait: a loop may be closed meanwhile") {
  const LogCapture log;
  ThreadPoolExecutor pool(1);
  Gate gate;
  const auto job = pool.submit([&gate] {
    gate.pass();
    return 1;
  });
  std::vector<Coroutine<int>> kept;
  {
    aio::EventLoop loop;
    loop.call_soon([&] {
      kept = aio::as_completed(list_of(job), seconds(5));
      auto coros = aio::as_completed(list_of(job), seconds(5));
      loop.create_task(std::move(coros[0]));
      loop.create_task(aio::wait(list_of(job), WaitOptions{.timeout = seconds(5)}));
      loop.call_soon([&] { loop.call_soon([&] { loop.stop(); }); });
    });
    loop.run_forever();
  }
  gate.open();
  CHECK(log.count("was destroyed but it is pending") == 2);
}

Coroutine<> complete_from_pool() {
  ThreadPoolExecutor pool(4);
  Futures jobs;
  for (int i = 0; i < 200; ++i) jobs.push_back(pool.submit([i] { return i; }));
  int sum = 0;
  for (auto& next : aio::as_completed(jobs)) sum += co_await std::move(next);
  CHECK(sum == 200 * 199 / 2);
}

TEST_CASE("as_completed: takes an executor's futures, which end in other threads") {
  run_virtual(complete_from_pool());
}

Coroutine<std::unique_ptr<int>> make_later(Duration delay) {
  co_await aio::sleep(delay);
  co_return std::make_unique<int>(1);
}

Coroutine<> complete_in_all_ways() {
  std::vector<aio::Task<std::unique_ptr<int>>> movables;
  movables.push_back(aio::create_task(make_later(seconds(1))));
  for (auto& next : aio::as_completed(movables)) CHECK(*co_await std::move(next) == 1);
  std::vector<aio::Task<>> voids;
  voids.push_back(aio::create_task(nap_for(seconds(1))));
  for (auto& next : aio::as_completed(voids)) co_await std::move(next);
  const auto failing = aio::create_task(fail_after(seconds(1), "failed"));
  const auto cancelled = aio::create_task(sleep_then(seconds(9), 1));
  cancelled.cancel();
  std::vector<std::string> endings;
  for (auto& next : aio::as_completed(list_of(failing, cancelled))) {
    endings.push_back(co_await ending_of(std::move(next)));
  }
  CHECK(endings == std::vector<std::string>{"cancelled", "failed"});
  CHECK(aio::as_completed(Futures()).empty());
}

TEST_CASE("as_completed: gives values, errors and cancellations") {
  run_virtual(complete_in_all_ways());
}

Coroutine<> pass_result_on() {
  auto a = aio::get_running_loop().create_promise<int>();
  auto b = aio::get_running_loop().create_promise<int>();
  auto coros = aio::as_completed(Futures{a.get_future(), b.get_future()});
  const auto first = aio::create_task(std::move(coros[0]));
  const auto second = aio::create_task(std::move(coros[1]));
  co_await settle();
  a.set_result(1);  // wakes the first, which is cancelled before it goes on
  first.cancel();
  co_await settle();
  CHECK(first.cancelled());
  CHECK(second.result() == 1);
  b.set_result(2);
}

TEST_CASE("as_completed: a cancelled coroutine's result goes to the next") {
  run_virtual(pass_result_on());
}

Coroutine<> drop_coroutines() {
  auto promise = aio::get_running_loop().create_promise<int>();
  {
    const auto coros = aio::as_completed(list_of(promise.get_future()), seconds(1));
    CHECK(coros.size() == 1);
  }
  co_await aio::sleep(seconds(2));
  promise.set_result(1);
}

TEST_CASE("as_completed: nobody has to await the coroutines") { run_virtual(drop_coroutines()); }

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
