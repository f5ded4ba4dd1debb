// gather and shield: what CPython's suite leaves out.
#include <doctest/doctest.h>

#include <memory>
#include <plait/executors/thread_pool_executor.hpp>
#include <tuple>
#include <variant>

#include "support/gate.hpp"
#include "support/log_capture.hpp"
#include "support/loop_work.hpp"

namespace plait::test {
namespace {

TEST_SUITE_BEGIN("loop/gather");

Coroutine<std::unique_ptr<int>> make_unique_later(int value) {
  co_await aio::yield();
  co_return std::make_unique<int>(value);
}

Coroutine<> mix_types() {
  auto results =
      co_await aio::gather(sleep_then(seconds(1), 1), nap_for(seconds(2)), make_unique_later(3),
                           aio::create_task(sleep_then(seconds(1), std::string("four"))));
  static_assert(std::same_as<decltype(results),
                             std::tuple<int, std::monostate, std::unique_ptr<int>, std::string>>);
  CHECK(std::get<0>(results) == 1);
  CHECK(*std::get<2>(results) == 3);
  CHECK(std::get<3>(results) == "four");
}

TEST_CASE("gather: takes coroutines, tasks and futures of any types at once") {
  run_virtual(mix_types());
}

Coroutine<> move_only() {
  std::vector<Coroutine<std::unique_ptr<int>>> coros;
  for (int i = 0; i < 3; ++i) coros.push_back(make_unique_later(i));
  const auto values = co_await aio::gather(std::move(coros));
  CHECK(*values[2] == 2);

  std::vector<Coroutine<>> nothing;
  nothing.push_back(nap_for(seconds(1)));
  const auto none = co_await aio::gather(aio::return_exceptions, std::move(nothing));
  CHECK(none[0].has_value());
  const auto shielded = co_await aio::shield(make_unique_later(5));
  CHECK(*shielded == 5);
}

TEST_CASE("gather: results may be move-only or nothing") { run_virtual(move_only()); }

Coroutine<long> sum_of_many(int count) {
  std::vector<Coroutine<int>> coros;
  for (int i = 0; i < count; ++i) coros.push_back(sleep_then(milliseconds(i % 7), i));
  long sum = 0;
  for (const int value : co_await aio::gather(std::move(coros))) sum += value;
  co_return sum;
}

TEST_CASE("gather: 100,000 children") {
  CHECK(run_virtual(sum_of_many(100'000)) == 100'000L * 99'999 / 2);
}

Coroutine<> with_pool() {
  ThreadPoolExecutor pool(4);
  std::vector<Future<int>> jobs;
  for (int i = 0; i < 500; ++i) jobs.push_back(pool.submit([i] { return i; }));
  const auto values = co_await aio::gather(jobs);
  CHECK(values.size() == 500);
  CHECK(values[499] == 499);
  const auto [job, slept] = co_await aio::gather(pool.submit([] { return std::string("job"); }),
                                                 sleep_then(seconds(1), 2));
  CHECK(job == "job");
  CHECK(slept == 2);
  auto failing = pool.submit([]() -> int { throw WorkError("job failed"); });
  const auto outcomes = co_await aio::gather(aio::return_exceptions, failing);
  CHECK_THROWS_AS(std::get<0>(outcomes).value(), WorkError);
}

TEST_CASE("gather: takes an executor's futures, which end in other threads") {
  run_virtual(with_pool());
}

Coroutine<> stop_running_job() {
  ThreadPoolExecutor pool(1);
  Gate running;
  auto job = pool.submit([&running](std::stop_token stop) {
    running.open();
    while (!stop.stop_requested()) std::this_thread::yield();
    return 1;
  });
  running.pass();
  const auto all = aio::gather(job, sleep_then(seconds(1000), 0));
  co_await aio::yield();
  CHECK(all.cancel());
  CHECK((co_await ending_of(aio::wait_for(all, std::nullopt))) == "cancelled");
  CHECK(job.result() == 1);
}

TEST_CASE("gather: its cancellation asks a running job to stop") {
  run_virtual(stop_running_job());
}

Coroutine<> queued_job() {
  ThreadPoolExecutor pool(1);
  Gate gate;
  const auto first = pool.submit([&gate] { gate.pass(); });
  const auto second = pool.submit([] { return 1; });
  const auto all = aio::gather(second);
  CHECK(all.cancel());
  CHECK(second.cancelled());
  gate.open();
  CHECK((co_await ending_of(aio::wait_for(all, std::nullopt))) == "cancelled");
  co_await first;
}

TEST_CASE("gather: its cancellation cancels a queued job") { run_virtual(queued_job()); }

struct BadCopy {
  BadCopy() = default;
  BadCopy(const BadCopy&) { throw WorkError("no copy"); }
};

Coroutine<> copy_that_throws() {
  auto promise = aio::get_running_loop().create_promise<BadCopy>();
  promise.set_result();
  const auto future = promise.get_future();
  const auto all = aio::gather(future, future);
  CHECK(all.done());
  CHECK_THROWS_AS(all.result(), WorkError);
  auto later = aio::get_running_loop().create_promise<BadCopy>();
  const auto kept = later.get_future();
  const auto outer = aio::shield(kept);
  later.set_result();
  CHECK_THROWS_AS(outer.result(), WorkError);
  co_return;
}

TEST_CASE("gather: what a result's copy constructor throws is its error") {
  run_virtual(copy_that_throws());
}

Coroutine<> suppressing(int& seen) {
  try {
    co_await aio::sleep(seconds(100));
  } catch (const CancelledError&) {
    ++seen;
  }
}

Coroutine<> children_that_go_on() {
  int seen = 0;
  const auto all = aio::gather(suppressing(seen), suppressing(seen));
  co_await aio::yield();
  CHECK(all.cancel());
  CHECK_FALSE(all.done());
  co_await settle();
  CHECK(seen == 2);
  CHECK(all.cancelled());
}

TEST_CASE("gather: is cancelled even if its children swallow that") {
  run_virtual(children_that_go_on());
}

Coroutine<> cancelled_from_thread() {
  int cancelled = 0;
  ThreadPoolExecutor pool(1);
  const auto all =
      aio::gather(count_cancel(seconds(1000), cancelled), count_cancel(seconds(1000), cancelled));
  co_await aio::yield();
  const auto heard = pool.submit([all] { return all.cancel(); });
  CHECK(co_await heard);
  CHECK((co_await ending_of(aio::wait_for(all, std::nullopt))) == "cancelled");
  co_await settle();  // it ends with the first child that is cancelled
  CHECK(cancelled == 2);
}

TEST_CASE("gather: can be cancelled in any thread") { run_virtual(cancelled_from_thread()); }

Coroutine<int> nested(int depth) {
  if (depth == 0) co_return 1;
  const auto [a, b] = co_await aio::gather(nested(depth - 1), nested(depth - 1));
  co_return a + b;
}

Coroutine<int> chain(int depth) {
  if (depth == 0) co_return 0;
  co_return std::get<0>(co_await aio::gather(chain(depth - 1))) + 1;
}

TEST_CASE("gather: nests, wide and deep") {
  CHECK(run_virtual(nested(12)) == 4096);
  CHECK(run_virtual(chain(10'000)) == 10'000);
}

Coroutine<> gather_for_ever(Future<int> job, std::optional<Future<std::tuple<int, int>>>& kept) {
  kept = aio::gather(job, sleep_then(seconds(1000), 1));
  co_await *kept;
}

TEST_CASE("gather: a loop that is closed ends it cancelled, before or after its last child") {
  const LogCapture log;
  for (const bool job_first : {false, true}) {
    ThreadPoolExecutor pool(1);
    Gate gate;
    const auto job = pool.submit([&gate] {
      gate.pass();
      return 1;
    });
    std::optional<Future<std::tuple<int, int>>> all;
    {
      aio::EventLoop loop;
      const auto task = loop.create_task(gather_for_ever(job, all));
      loop.call_soon([&] { loop.stop(); });
      loop.run_forever();
      if (job_first) gate.open();
      if (job_first) job.wait();
    }
    gate.open();
    CHECK_THROWS_AS(all->result(), CancelledError);
  }
}

Coroutine<> dropped() {
  aio::gather(sleep_then(seconds(1), 1), nap_for(seconds(1)));
  aio::shield(nap_for(seconds(1)));
  co_await aio::sleep(seconds(2));
}

TEST_CASE("gather: nobody has to keep the future") {
  const LogCapture log;
  run_virtual(dropped());
  CHECK(log.size() == 0);
}

Coroutine<> lost_error() {
  aio::gather(fail_after(seconds(1), "lost"));
  co_await aio::sleep(seconds(2));
}

TEST_CASE("gather: an error that nobody asks for is reported") {
  const LogCapture log;
  run_virtual(lost_error());
  CHECK(log.count("gather() of 1", "never retrieved", "lost") == 1);
}

Coroutine<> empty_handles() {
  CHECK_THROWS_AS(aio::gather(Future<int>()), InvalidStateError);
  CHECK_THROWS_AS(aio::shield(Future<int>()), InvalidStateError);
  CHECK((co_await ending_of(aio::wait_for(Future<int>(), Duration::zero()))) != "value");
}

TEST_CASE("gather: a future without a state is refused") { run_virtual(empty_handles()); }

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
