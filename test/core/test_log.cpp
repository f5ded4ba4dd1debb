// The log handler, and the failures nobody asked for that end up there.
#include <doctest/doctest.h>

#include <optional>
#include <plait/futures.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "../support/child_program.hpp"
#include "../support/log_capture.hpp"
#include "../support/prepared_futures.hpp"
#include "../support/process_probe.hpp"

namespace plait::test {
namespace {

Future<int> failed_future() {
  Promise<int> promise;
  promise.set_exception(TestError("lost one"));
  return promise.get_future();
}

TEST_SUITE_BEGIN("core/log");

TEST_CASE(
    "log: a failure nobody asked for is reported once, with its text, when the last handle "
    "goes") {
  const LogCapture log;
  auto future = std::make_optional(failed_future());
  auto copy = future;
  future.reset();
  CHECK(log.size() == 0);
  copy.reset();
  CHECK(log.size() == 1);
  CHECK(log.count("lost one") == 1);
}

TEST_CASE("log: a failure somebody asked for is not reported, whichever way he asked") {
  const LogCapture log;
  CHECK_THROWS_AS(failed_future().result(), TestError);
  CHECK(failed_future().exception() != nullptr);
  CHECK_FALSE(failed_future().outcome().has_value());
  CHECK_THROWS_AS(static_cast<void>(failed_future().take()), TestError);
  CHECK_THROWS_AS(failed_future().result(1s), TestError);
  const auto future = failed_future();
  future.add_done_callback([](const Future<int>& done) { static_cast<void>(done.exception()); });
  CHECK(log.size() == 0);
}

TEST_CASE("log: waiting alone is not asking") {
  const LogCapture log;
  {
    const auto future = failed_future();
    future.wait();
    CHECK(future.done());
    CHECK_FALSE(future.cancelled());
    CHECK_FALSE(future.cancel());
    CHECK(wait(std::vector{future}).done.size() == 1);
  }
  CHECK(log.count("lost one") == 1);
}

TEST_CASE("log: a cancellation and a value are nothing to report") {
  const LogCapture log;
  {
    PreparedFutures prepared;
    Promise<int> promise;
    promise.set_exception(CancelledError("on purpose"));
    static_cast<void>(prepared.failed.exception());
  }
  CHECK(log.size() == 0);
}

TEST_CASE("log: a job's failure is reported with the job's name") {
  const LogCapture log;
  ThreadPoolExecutor pool(1);
  pool.submit({.name = "indexer"}, [] { throw TestError("disk full"); });
  pool.shutdown();
  CHECK(eventually([&] { return log.size() > 0; }));
  CHECK(log.size() == 1);
  CHECK(log.count("indexer", "disk full") == 1);
}

TEST_CASE("log: an exception that is no std::exception is reported too") {
  const LogCapture log;
  {
    Promise<int> promise;
    promise.set_exception(3);
  }
  CHECK(log.size() == 1);
}

TEST_CASE("set_log_handler: what a handler throws is dropped") {
  set_log_handler([](LogLevel, std::string_view) { throw TestError("from the handler"); });
  CHECK_NOTHROW(static_cast<void>(failed_future()));
  PreparedFutures prepared;
  CHECK_NOTHROW(
      prepared.succeeded.add_done_callback([](const Future<int>&) { throw TestError("x"); }));
  set_log_handler({});
}

TEST_CASE("set_log_handler: may be replaced while another thread reports") {
  std::atomic<bool> stop = false;
  std::atomic<int> reports = 0;
  ProbedThread reporter([&] {
    while (!stop) static_cast<void>(failed_future());
  });
  for (int i = 0; i < 200; ++i) {
    set_log_handler([&](LogLevel, std::string_view) { ++reports; });
  }
  CHECK(eventually([&] { return reports > 0; }));
  stop = true;
  reporter.join();
  set_log_handler({});
}

TEST_CASE("set_log_handler: an empty one restores standard error") {
  const auto result = run_program("pool_scenarios", {"failure_nobody_asks_for_at_exit"});
  CHECK(holds(result.err, "lost at exit"));
  CHECK(result.out.empty());
  CHECK(result.exit_status == 0);
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
