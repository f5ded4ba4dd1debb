// as_completed(): plait's own promises, beside CPython's in conformance/.
#include <doctest/doctest.h>

#include <iterator>
#include <plait/futures.hpp>
#include <ranges>
#include <stdexcept>
#include <vector>

#include "../support/gate.hpp"
#include "../support/lifetime_tracked.hpp"
#include "../support/log_capture.hpp"
#include "../support/prepared_futures.hpp"
#include "../support/process_probe.hpp"

namespace plait::test {
namespace {

using Futures = std::vector<Future<int>>;

static_assert(std::input_iterator<AsCompleted<int>::iterator>);
static_assert(std::ranges::input_range<AsCompleted<int>>);

TEST_SUITE_BEGIN("core/as_completed");

TEST_CASE("as_completed: an empty list is an empty range") {
  auto completed = as_completed(Futures{});
  CHECK(completed.begin() == completed.end());
}

TEST_CASE("as_completed: a handle without a state is refused at the call") {
  CHECK_THROWS_AS(as_completed(Futures{Future<int>()}), std::invalid_argument);
}

TEST_CASE("as_completed: gives what was done before in the order of the list") {
  PreparedFutures prepared;
  const Futures futures{prepared.succeeded, prepared.cancelled, prepared.failed};
  Futures seen;
  for (const auto& future : as_completed(futures)) seen.push_back(future);
  CHECK(seen == futures);
}

TEST_CASE("as_completed: a future cancelled meanwhile comes out at once") {
  Promise<int> promise;
  const auto future = promise.get_future();
  Futures seen;
  ProbedThread caller([&] {
    for (const auto& done : as_completed(Futures{future})) seen.push_back(done);
  });
  caller.wait_until_asleep();
  future.cancel();
  caller.join();
  CHECK(seen == Futures{future});
}

TEST_CASE("as_completed: a timeout is thrown after all that was done has come out") {
  PreparedFutures prepared;
  Futures seen;
  const auto text = text_of<TimeoutError>([&] {
    for (const auto& done : as_completed(
             Futures{prepared.pending, prepared.succeeded, prepared.failed}, Duration(5ms))) {
      seen.push_back(done);
    }
  });
  CHECK(seen == Futures{prepared.succeeded, prepared.failed});
  CHECK(holds(text, "1 (of 3) futures unfinished"));
  CHECK_FALSE(prepared.pending.done());
}

TEST_CASE("as_completed: may be dropped half way without a trace in the futures") {
  Promise<int> promise;
  PreparedFutures prepared;
  {
    auto completed = as_completed(Futures{promise.get_future(), prepared.succeeded});
    CHECK((*completed.begin()) == prepared.succeeded);
  }
  CHECK_NOTHROW(promise.set_result(1));
}

TEST_CASE("as_completed: lets go of each future it has given out") {
  LifetimeCounts counts;
  std::vector<Promise<LifetimeTracked>> promises(3);
  std::vector<Future<LifetimeTracked>> futures;
  for (const auto& promise : promises) futures.push_back(promise.get_future());
  auto completed = as_completed(futures);
  futures.clear();
  for (auto& promise : promises) promise.set_result(counts);
  promises.clear();
  int left = 3;
  for (auto position = completed.begin(); position != completed.end(); ++position) {
    CHECK(counts.live == left--);
  }
  CHECK(counts.live == 0);
}

TEST_CASE("as_completed: many threads complete, one reads") {
  ThreadPoolExecutor pool(4);
  Futures futures;
  for (int i = 0; i < 500; ++i) futures.push_back(pool.submit([i] { return i; }));
  int sum = 0, count = 0;
  for (const auto& future : as_completed(futures)) {
    sum += future.result(0s);
    ++count;
  }
  CHECK(count == 500);
  CHECK(sum == 499 * 500 / 2);
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
