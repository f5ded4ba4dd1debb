// wait(): plait's own promises, beside CPython's in conformance/.
#include <doctest/doctest.h>

#include <plait/futures.hpp>
#include <stdexcept>
#include <vector>

#include "../support/gate.hpp"
#include "../support/prepared_futures.hpp"
#include "../support/process_probe.hpp"

namespace plait::test {
namespace {

using Futures = std::vector<Future<int>>;

TEST_SUITE_BEGIN("core/wait");

TEST_CASE("wait: an empty list returns at once") {
  for (const auto when : {FIRST_COMPLETED, FIRST_EXCEPTION, ALL_COMPLETED}) {
    const auto [done, not_done] = wait(Futures{}, {.return_when = when});
    CHECK(done.empty());
    CHECK(not_done.empty());
  }
}

TEST_CASE("wait: a handle without a state is refused before anything is waited for") {
  PreparedFutures prepared;
  CHECK_THROWS_AS(wait(Futures{prepared.pending, Future<int>()}), std::invalid_argument);
}

TEST_CASE("wait: both lists keep the order of the input") {
  PreparedFutures prepared;
  const auto [done, not_done] =
      wait(Futures{prepared.running, prepared.succeeded, prepared.pending, prepared.failed},
           {.timeout = 0s});
  CHECK(done == Futures{prepared.succeeded, prepared.failed});
  CHECK(not_done == Futures{prepared.running, prepared.pending});
}

TEST_CASE("wait: a timeout in the past asks only") {
  PreparedFutures prepared;
  CHECK(wait(Futures{prepared.pending}, {.timeout = -1s}).not_done.size() == 1);
  CHECK(wait(Futures{prepared.succeeded}, {.timeout = -1s}).done.size() == 1);
}

TEST_CASE("wait: a cancelled future is done at once") {
  Promise<int> promise;
  const auto future = promise.get_future();
  Futures done;
  ProbedThread caller([&] { done = wait(Futures{future}).done; });
  caller.wait_until_asleep();
  future.cancel();
  caller.join();
  CHECK(done == Futures{future});
}

TEST_CASE("wait: FIRST_EXCEPTION does not take a cancellation for an exception") {
  PreparedFutures prepared;
  const auto result = wait(Futures{prepared.cancelled, prepared.pending},
                           {.timeout = 1ms, .return_when = FIRST_EXCEPTION});
  CHECK(result.not_done == Futures{prepared.pending});
  Futures done;
  ProbedThread caller([&] {
    done = wait(Futures{prepared.pending, prepared.running}, {.return_when = FIRST_EXCEPTION}).done;
  });
  caller.wait_until_asleep();
  prepared.pending.cancel();
  prepared.running_promise.set_exception(TestError("now"));
  caller.join();
  CHECK(done.size() == 2);
  CHECK(prepared.running.exception() != nullptr);
}

TEST_CASE("wait: FIRST_COMPLETED wakes for the first of many") {
  std::vector<Promise<int>> promises(100);
  Futures futures;
  for (const auto& promise : promises) futures.push_back(promise.get_future());
  Futures done;
  ProbedThread caller([&] { done = wait(futures, {.return_when = FIRST_COMPLETED}).done; });
  caller.wait_until_asleep();
  promises[70].set_result(70);
  caller.join();
  CHECK(done == Futures{futures[70]});
  for (const auto& future : futures) future.cancel();
}

TEST_CASE("wait: leaves nothing behind in futures it gave up on") {
  Promise<int> promise;
  const auto future = promise.get_future();
  for (int i = 0; i < 100; ++i) wait(Futures{future, future}, {.timeout = Duration(1)});
  CHECK_NOTHROW(promise.set_result(1));
  CHECK(future.result() == 1);
}

TEST_CASE("wait: futures of different executors and of promises may be mixed") {
  ThreadPoolExecutor first(1), second(1);
  InlineExecutor in_place;
  Promise<int> promise;
  const auto one = [] { return 1; };
  const Futures futures{first.submit(one), second.submit(one), in_place.submit(one),
                        promise.get_future()};
  promise.set_result(1);
  CHECK(wait(futures).done == futures);
}

TEST_CASE("wait: works for Future<void>") {
  ThreadPoolExecutor pool(2);
  const std::vector futures{pool.submit([] {}), pool.submit([] {})};
  CHECK(wait(futures).done.size() == 2);
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
