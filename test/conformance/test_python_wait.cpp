// CPython's test_wait: waiting for the first, the first failure or all of a set.
#include <doctest/doctest.h>

#include <plait/futures.hpp>
#include <vector>

#include "../support/gate.hpp"
#include "../support/prepared_futures.hpp"
#include "../support/process_probe.hpp"

namespace plait::test {
namespace {

using Futures = std::vector<Future<int>>;

// A pool with one job that ends with the scope at the latest.
struct BlockedJob {
  Gate gate;
  ThreadPoolExecutor pool{3};
  Future<int> future = pool.submit([this] {
    gate.pass();
    return 0;
  });
  ~BlockedJob() { gate.open(); }
};

TEST_SUITE_BEGIN("conformance/test_wait");

TEST_CASE("wait: a future given twice counts once [cpython test_wait.test_20369]") {
  ThreadPoolExecutor pool(1);
  const auto future = pool.submit([] { return 1; });
  const auto [done, not_done] = wait(Futures{future, future});
  CHECK(done == Futures{future});
  CHECK(not_done.empty());
}

TEST_CASE(
    "wait: FIRST_COMPLETED returns at once where some are done [cpython "
    "test_wait.test_first_completed_some_already_completed]") {
  PreparedFutures prepared;
  BlockedJob blocked;
  const auto [done, not_done] = wait(Futures{prepared.notified, prepared.succeeded, blocked.future},
                                     {.return_when = FIRST_COMPLETED});
  CHECK(same_futures(done, {prepared.notified, prepared.succeeded}));
  CHECK(not_done == Futures{blocked.future});
}

TEST_CASE(
    "wait: FIRST_EXCEPTION returns at the first failure [cpython "
    "test_wait.test_first_exception]") {
  BlockedJob blocked;
  Gate failure;
  const auto ok = blocked.pool.submit([] { return 1; });
  const auto failed = blocked.pool.submit([&]() -> int {
    failure.pass();
    throw TestError("second");
  });
  ok.wait();
  ProbedThread opener([&] { failure.open(); });
  const auto [done, not_done] =
      wait(Futures{ok, failed, blocked.future}, {.return_when = FIRST_EXCEPTION});
  CHECK(same_futures(done, {ok, failed}));
  CHECK(not_done == Futures{blocked.future});
  CHECK_THROWS_AS(failed.result(), TestError);
}

TEST_CASE(
    "wait: FIRST_EXCEPTION returns at once where one has failed [cpython "
    "test_wait.test_first_exception_one_already_failed]") {
  PreparedFutures prepared;
  BlockedJob blocked;
  const auto [done, not_done] =
      wait(Futures{prepared.failed, blocked.future}, {.return_when = FIRST_EXCEPTION});
  CHECK(done == Futures{prepared.failed});
  CHECK(not_done == Futures{blocked.future});
}

TEST_CASE("wait: ALL_COMPLETED returns when all are done [cpython test_wait.test_all_completed]") {
  PreparedFutures prepared;
  ThreadPoolExecutor pool(2);
  const auto failing = pool.submit([]() -> int { throw TestError("job"); });
  const auto working = pool.submit([] { return 3; });
  const Futures futures{prepared.succeeded, prepared.notified, prepared.failed, failing, working};
  const auto [done, not_done] = wait(futures);
  CHECK(same_futures(done, futures));
  CHECK(not_done.empty());
  CHECK_THROWS_AS(failing.result(), TestError);
}

TEST_CASE("wait: a timeout returns what is done [cpython test_wait.test_timeout]") {
  PreparedFutures prepared;
  BlockedJob blocked;
  const Futures finished{prepared.succeeded, prepared.notified, prepared.failed};
  Futures all = finished;
  all.push_back(blocked.future);
  const auto [done, not_done] = wait(all, {.timeout = 50ms});
  CHECK(same_futures(done, finished));
  CHECK(not_done == Futures{blocked.future});
}

TEST_CASE(
    "wait: FIRST_EXCEPTION where nothing fails waits for all [cpython "
    "derived.cf_wait_first_exception_without_exception]") {
  PreparedFutures prepared;
  ThreadPoolExecutor pool(1);
  const Futures futures{prepared.cancelled, prepared.succeeded, pool.submit([] { return 3; }),
                        pool.submit([] { return 4; })};
  const auto [done, not_done] = wait(futures, {.return_when = FIRST_EXCEPTION});
  CHECK(same_futures(done, futures));
  CHECK(not_done.empty());
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
