// CPython's test_tasks: the awaited wait() and as_completed().
// Left out: wait() and as_completed() of what is no list of futures, which does not compile.
#include <doctest/doctest.h>

#include <set>

#include "support/loop_work.hpp"

namespace plait::test {
namespace {

using Tasks = std::vector<aio::Task<int>>;
using Futures = std::vector<Future<int>>;

WaitOptions until(ReturnWhen when) {
  WaitOptions options;
  options.return_when = when;
  return options;
}
WaitOptions within(Duration timeout) {
  WaitOptions options;
  options.timeout = timeout;
  return options;
}

aio::Task<int> sleeper(Duration delay, int value = 0) {
  return aio::create_task(sleep_then(delay, value));
}

TEST_SUITE_BEGIN("conformance/test_tasks_wait");

Coroutine<> wait_for_two() {
  const Stopwatch watch;
  const Tasks tasks{sleeper(milliseconds(100)), sleeper(milliseconds(150))};
  const auto result = co_await aio::wait(tasks);
  CHECK(watch.elapsed() == milliseconds(150));
  CHECK(result.done == Futures{tasks[0], tasks[1]});
  CHECK(result.not_done.empty());
  const auto again = co_await aio::wait(result.done);
  CHECK(watch.elapsed() == milliseconds(150));
  CHECK(again.done == result.done);
}

TEST_CASE("wait: waits for all, and not again [cpython test_tasks.test_wait]") {
  run_virtual(wait_for_two());
}

Coroutine<> wait_duplicates() {
  const auto c = sleeper(milliseconds(1));
  const auto d = sleeper(milliseconds(2));
  const auto result = co_await aio::wait(list_of(c, c, d));
  CHECK(result.done == Futures{c, d});
}

TEST_CASE("wait: duplicates count once [cpython test_tasks.test_wait_duplicate_coroutines]") {
  run_virtual(wait_duplicates());
}

Coroutine<> wait_wrongly() {
  CHECK((co_await ending_of(aio::wait(Futures()))) == "Set of Tasks/Futures is empty.");
  const Tasks tasks{sleeper(milliseconds(1))};
  const auto bad = until(static_cast<ReturnWhen>(-1));
  CHECK((co_await ending_of(aio::wait(tasks, bad))).starts_with("Invalid return_when"));
  CHECK((co_await ending_of(aio::wait(list_of(Future<int>())))) != "value");
}

TEST_CASE(
    "wait: nothing to wait for and a wrong return_when are refused [cpython "
    "test_tasks.test_wait_errors]") {
  run_virtual(wait_wrongly());
}

Coroutine<> wait_first() {
  const Stopwatch watch;
  const auto a = sleeper(seconds(10));
  const auto b = sleeper(milliseconds(100));
  const auto result = co_await aio::wait(list_of(a, b), until(FIRST_COMPLETED));
  CHECK(watch.elapsed() == milliseconds(100));
  CHECK(result.done == Futures{b});
  CHECK(result.not_done == Futures{a});
  CHECK_FALSE(a.done());
  CHECK(a.cancelling() == 0);
}

TEST_CASE(
    "wait: FIRST_COMPLETED ends with the first and cancels nobody [cpython "
    "test_tasks.test_wait_first_completed]") {
  run_virtual(wait_first());
}

Coroutine<> wait_first_failure(Duration delay) {
  const Stopwatch watch;
  const auto a = sleeper(seconds(10));
  const auto b = aio::create_task(fail_after(delay));
  const auto result = co_await aio::wait(list_of(a, b), until(FIRST_EXCEPTION));
  CHECK(watch.elapsed() == delay);
  CHECK(result.done == Futures{b});
  CHECK(result.not_done == Futures{a});
  CHECK_THROWS_AS(b.result(), WorkError);
}

TEST_CASE(
    "wait: FIRST_EXCEPTION ends with the first failure [cpython "
    "test_tasks.test_wait_first_exception] [cpython "
    "test_tasks.test_wait_first_exception_in_wait]") {
  run_virtual(wait_first_failure(Duration::zero()));
  run_virtual(wait_first_failure(milliseconds(10)));
}

Coroutine<> wait_with_cancelled() {
  const auto a = sleeper(milliseconds(100));
  const auto b = sleeper(seconds(10));
  co_await settle();
  b.cancel();
  const auto result = co_await aio::wait(list_of(a, b), until(FIRST_EXCEPTION));
  CHECK(result.done == Futures{a, b});
}

TEST_CASE("wait: a cancelled future is no failure [cpython derived.wait_cancelled_no_exception]") {
  run_virtual(wait_with_cancelled());
}

Coroutine<> wait_with_failure() {
  const Stopwatch watch;
  const auto a = sleeper(milliseconds(100));
  const auto b = aio::create_task(fail_after(milliseconds(150)));
  const auto result = co_await aio::wait(list_of(a, b));
  CHECK(watch.elapsed() == milliseconds(150));
  CHECK(result.done.size() == 2);
  int failures = 0;
  for (const auto& future : result.done) failures += future.exception() ? 1 : 0;
  CHECK(failures == 1);
}

TEST_CASE(
    "wait: ALL_COMPLETED waits in spite of a failure and throws nothing [cpython "
    "test_tasks.test_wait_with_exception]") {
  run_virtual(wait_with_failure());
}

Coroutine<> wait_with_timeout() {
  const Stopwatch watch;
  const auto a = sleeper(milliseconds(100));
  const auto b = sleeper(milliseconds(150), 5);
  const auto result = co_await aio::wait(list_of(a, b), within(milliseconds(110)));
  CHECK(watch.elapsed() == milliseconds(110));
  CHECK(result.done == Futures{a});
  CHECK(result.not_done == Futures{b});
  CHECK((co_await b) == 5);
}

TEST_CASE(
    "wait: the timeout ends the wait, not the work [cpython test_tasks.test_wait_with_timeout]") {
  run_virtual(wait_with_timeout());
}

Coroutine<> wait_for_ten() {
  Tasks tasks;
  for (int i = 0; i < 10; ++i) tasks.push_back(sleeper(Duration::zero(), i));
  const auto result = co_await aio::wait(std::move(tasks));
  CHECK(result.done.size() == 10);
}

TEST_CASE("wait: takes many tasks [cpython test_tasks.test_wait_with_iterator_of_tasks]") {
  run_virtual(wait_for_ten());
}

// ---------------------------------------------------------------- as_completed

Coroutine<> complete_in_order() {
  const Stopwatch watch;
  const Tasks tasks{sleeper(milliseconds(10), 1), sleeper(milliseconds(10), 2),
                    sleeper(milliseconds(150), 3)};
  std::vector<int> values;
  for (auto& next : aio::as_completed(tasks)) values.push_back(co_await std::move(next));
  CHECK(watch.elapsed() == milliseconds(150));
  CHECK(std::set{values[0], values[1]} == std::set{1, 2});
  CHECK(values[2] == 3);
}

TEST_CASE("as_completed: gives results as they come [cpython test_tasks.test_as_completed]") {
  run_virtual(complete_in_order());
}

Coroutine<> complete_in_time() {
  const Stopwatch watch;
  const auto b = sleeper(milliseconds(150), 2);
  auto coros = aio::as_completed(Tasks{sleeper(milliseconds(100), 1), b}, milliseconds(120));
  CHECK((co_await std::move(coros[0])) == 1);
  CHECK((co_await ending_of(std::move(coros[1]))) == "timeout");
  CHECK(watch.elapsed() == milliseconds(120));
  CHECK((co_await b) == 2);
}

TEST_CASE(
    "as_completed: after the timeout there are no more results, and the tasks run on [cpython "
    "test_tasks.test_as_completed_with_timeout]") {
  run_virtual(complete_in_time());
}

Coroutine<> complete_with_a_break() {
  Tasks tasks;
  for (int i = 0; i < 4; ++i) tasks.push_back(sleeper(milliseconds(i), i));
  auto coros = aio::as_completed(tasks);
  std::vector<int> values;
  for (int i = 0; i < 2; ++i) values.push_back(co_await std::move(coros[i]));
  co_await aio::sleep(seconds(1));
  for (int i = 2; i < 4; ++i) values.push_back(co_await std::move(coros[i]));
  CHECK(values == std::vector{0, 1, 2, 3});
}

TEST_CASE(
    "as_completed: an iteration that was broken off goes on, none comes twice [cpython "
    "test_tasks.test_as_completed_resume_iterator]") {
  run_virtual(complete_with_a_break());
}

Coroutine<> complete_at_once() {
  auto coros =
      aio::as_completed(Tasks{sleeper(milliseconds(50), 1), sleeper(milliseconds(100), 2)});
  const auto values = co_await aio::gather(std::move(coros));
  CHECK(values == std::vector{1, 2});
}

TEST_CASE(
    "as_completed: its coroutines can be awaited at the same time [cpython "
    "test_tasks.test_as_completed_concurrent]") {
  run_virtual(complete_at_once());
}

Coroutine<> complete_duplicates() {
  const auto c = sleeper(milliseconds(1), 1);
  const auto d = sleeper(milliseconds(2), 2);
  auto coros = aio::as_completed(Tasks{c, c, d});
  CHECK(coros.size() == 2);
  CHECK((co_await std::move(coros[0])) == 1);
  CHECK((co_await std::move(coros[1])) == 2);
}

TEST_CASE(
    "as_completed: duplicates count once [cpython "
    "test_tasks.test_as_completed_duplicate_coroutines]") {
  run_virtual(complete_duplicates());
}

TEST_CASE(
    "as_completed: needs a running loop [cpython "
    "test_tasks.test_as_completed_coroutine_without_loop]") {
  aio::EventLoop loop;
  auto promise = loop.create_promise<int>();
  CHECK_THROWS_AS(aio::as_completed(Futures{promise.get_future()}), RuntimeError);
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
