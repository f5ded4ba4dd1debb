// Done-callbacks: order, thread, removal, and what they may do to the future that calls them.
#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <plait/futures.hpp>
#include <string>
#include <thread>
#include <vector>

#include "../support/gate.hpp"
#include "../support/lifetime_tracked.hpp"
#include "../support/log_capture.hpp"
#include "../support/prepared_futures.hpp"
#include "../support/process_probe.hpp"

namespace plait::test {
namespace {

// A promise's future with callbacks that note their numbers.
struct Noted {
  Promise<int> promise;
  Future<int> future = promise.get_future();
  std::vector<int> order{};

  auto note(int number) {
    return [this, number](const Future<int>&) { order.push_back(number); };
  }
};

TEST_SUITE_BEGIN("core/future");

TEST_CASE("add_done_callback: a callback that throws anything is reported and the next ones run") {
  const LogCapture log;
  Noted noted;
  noted.future.add_done_callback([](const Future<int>&) { throw TestError("from the callback"); });
  noted.future.add_done_callback(noted.note(1));
  noted.future.add_done_callback([](const Future<int>&) { throw 42; });
  noted.future.add_done_callback([](const Future<int>&) { throw CancelledError("no"); });
  noted.future.add_done_callback(noted.note(2));
  CHECK_NOTHROW(noted.promise.set_result(0));
  CHECK(noted.order == std::vector{1, 2});
  CHECK(log.size() == 3);
  CHECK(log.count("from the callback") == 1);
}

TEST_CASE("add_done_callback: what a callback added too late throws is reported, not thrown") {
  const LogCapture log;
  PreparedFutures prepared;
  CHECK_NOTHROW(
      prepared.succeeded.add_done_callback([](const Future<int>&) { throw TestError("late"); }));
  CHECK(log.count("late") == 1);
}

TEST_CASE("add_done_callback: a throwing callback spares the worker that runs it") {
  const LogCapture log;
  Gate gate;
  ThreadPoolExecutor pool(1);
  const auto job = pool.submit([&] {
    gate.pass();
    return std::this_thread::get_id();
  });
  job.add_done_callback([](const auto&) { throw TestError("in the worker"); });
  gate.open();
  CHECK(pool.submit([] { return std::this_thread::get_id(); }).result() == job.result());
  CHECK(log.count("in the worker") == 1);
}

TEST_CASE("add_done_callback: runs in the thread that cancels") {
  Noted noted;
  std::thread::id ran_in;
  noted.future.add_done_callback([&](const Future<int>&) { ran_in = std::this_thread::get_id(); });
  std::thread canceller([&] { noted.future.cancel(); });
  const auto expected = canceller.get_id();
  canceller.join();
  CHECK(ran_in == expected);
}

TEST_CASE("add_done_callback: on a job runs in its worker") {
  Gate gate;
  ThreadPoolExecutor pool(1);
  const auto job = pool.submit([&] {
    gate.pass();
    return std::this_thread::get_id();
  });
  Promise<std::thread::id> ran_in;
  job.add_done_callback([=](auto done) mutable {
    ran_in.set_result(std::this_thread::get_id());
    CHECK(done.done());
  });
  gate.open();
  CHECK(ran_in.get_future().result() == job.result());
}

TEST_CASE("remove_done_callback: takes a callback away once") {
  Noted noted;
  noted.future.add_done_callback(noted.note(1));
  const auto second = noted.future.add_done_callback(noted.note(2));
  noted.future.add_done_callback(noted.note(3));
  CHECK(noted.future.remove_done_callback(second));
  CHECK_FALSE(noted.future.remove_done_callback(second));
  CHECK_FALSE(noted.future.remove_done_callback(CallbackId{}));
  noted.promise.set_result(0);
  CHECK(noted.order == std::vector{1, 3});
}

TEST_CASE("remove_done_callback: refuses one that has run and one of another future") {
  Noted noted, other;
  const auto id = noted.future.add_done_callback(noted.note(1));
  CHECK_FALSE(other.future.remove_done_callback(id));
  noted.promise.set_result(0);
  CHECK_FALSE(noted.future.remove_done_callback(id));
  const auto late = noted.future.add_done_callback(noted.note(2));
  CHECK_FALSE(noted.future.remove_done_callback(late));
  CHECK(noted.order == std::vector{1, 2});
}

TEST_CASE("remove_done_callback: frees the callback at once") {
  LifetimeCounts counts;
  Noted noted;
  const auto id =
      noted.future.add_done_callback([held = LifetimeTracked(counts)](const Future<int>&) {});
  CHECK(counts.live == 1);
  noted.future.remove_done_callback(id);
  CHECK(counts.live == 0);
}

TEST_CASE("add_done_callback: the callback is freed when it has run") {
  LifetimeCounts counts;
  Noted noted;
  noted.future.add_done_callback([held = LifetimeTracked(counts)](const Future<int>&) {});
  noted.promise.set_result(0);
  CHECK(counts.live == 0);
  CHECK(counts.copies == 0);
}

TEST_CASE("add_done_callback: a promise that gives up calls the callbacks, handle left or not") {
  LifetimeCounts counts;
  const LogCapture log;
  int calls = 0;
  {
    Promise<int> promise;
    promise.get_future().add_done_callback(
        [&, held = LifetimeTracked(counts)](const Future<int>& done) {
          CHECK_THROWS_AS(done.result(), InvalidStateError);
          ++calls;
        });
  }
  CHECK(calls == 1);
  CHECK(counts.live == 0);
}

TEST_CASE("add_done_callback: takes a move-only callable and hands over a future of its own") {
  Noted noted;
  Future<int> kept;
  noted.future.add_done_callback(
      [&, held = std::make_unique<int>(1)](Future<int> done) { kept = std::move(done); });
  noted.promise.set_result(4);
  CHECK(kept.result() == 4);
}

TEST_CASE("add_done_callback: a callback may add another one, which runs at once") {
  Noted noted;
  noted.future.add_done_callback([&](const Future<int>& done) {
    done.add_done_callback(noted.note(1));
    noted.order.push_back(2);
  });
  noted.future.add_done_callback(noted.note(3));
  noted.promise.set_result(0);
  CHECK(noted.order == std::vector{1, 2, 3});
}

TEST_CASE("add_done_callback: a callback may drop the last other handle") {
  const LogCapture log;
  auto promise = std::make_optional<Promise<int>>();
  auto future = promise->get_future();
  int seen = 0;
  future.add_done_callback([&](const Future<int>& done) {
    future = {};
    seen = done.result();
  });
  promise->set_result(6);
  promise.reset();
  CHECK(seen == 6);
}

TEST_CASE("add_done_callback: a callback may ask, wait and cancel") {
  Noted noted;
  noted.future.add_done_callback([&](const Future<int>& done) {
    done.wait();
    CHECK_FALSE(done.cancel());
    CHECK_FALSE(done.request_stop());
    noted.order.push_back(done.result());
  });
  noted.promise.set_result(3);
  CHECK(noted.order == std::vector{3});
}

TEST_CASE("add_done_callback: a callback may submit to the pool whose worker runs it") {
  Gate gate;
  ThreadPoolExecutor pool(1);
  Promise<int> inner;
  const auto job = pool.submit([&] { gate.pass(); });
  job.add_done_callback([&](const auto&) { pool.submit([&] { inner.set_result(1); }); });
  gate.open();
  CHECK(inner.get_future().result() == 1);
}

TEST_CASE("add_done_callback: a thousand callbacks keep their order") {
  Noted noted;
  std::vector<int> expected;
  for (int i = 0; i < 1000; ++i) {
    noted.future.add_done_callback(noted.note(i));
    expected.push_back(i);
  }
  noted.future.cancel();
  CHECK(noted.order == expected);
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
