// Coroutine: lazy, awaited once, without a queue and without using up stack.
#include <doctest/doctest.h>

#include <plait/aio.hpp>
#include <plait/testing/virtual_clock.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "../support/lifetime_tracked.hpp"
#include "../support/log_capture.hpp"
#include "../support/loop_probe.hpp"

namespace plait::test {
namespace {

template <class T>
T run_virtual(Coroutine<T> main) {
  return testing::VirtualLoop().run(std::move(main));
}

Coroutine<int> number(int n) { co_return n; }

TEST_SUITE_BEGIN("core/coroutine");

TEST_CASE("Coroutine: runs when it is awaited, and not before") {
  auto body = [](std::string& trace) -> Coroutine<int> {
    trace += "body ";
    co_return 1;
  };
  auto main = [body](std::string& trace) -> Coroutine<> {
    auto coro = body(trace);
    trace += "before ";
    const int result = co_await std::move(coro);
    trace += "after " + std::to_string(result);
  };
  std::string trace;
  run_virtual(main(trace));
  CHECK(trace == "before body after 1");
}

TEST_CASE("Coroutine: one that was moved from, or awaited before, is refused") {
  auto main = []() -> Coroutine<> {
    auto coro = number(1);
    auto moved = std::move(coro);
    int refused = 0;
    try {
      co_await std::move(coro);  // NOLINT(bugprone-use-after-move): that is what is tested
    } catch (const InvalidStateError&) {
      ++refused;
    }
    CHECK((co_await std::move(moved)) == 1);
    try {
      co_await std::move(moved);  // NOLINT(bugprone-use-after-move): as above
    } catch (const InvalidStateError&) {
      ++refused;
    }
    CHECK_THROWS_AS(aio::create_task(std::move(coro)), InvalidStateError);
    CHECK(refused == 2);
    moved = number(2);
    CHECK((co_await std::move(moved)) == 2);
  };
  run_virtual(main());
}

TEST_CASE("Coroutine: one that is never awaited is reported in debug mode only") {
  for (const bool debug : {false, true}) {
    aio::EventLoop loop({.debug = debug});
    const Reports reports(loop);
    auto main = []() -> Coroutine<> {
      {
        auto dropped = number(1);
      }
      co_await number(2);
    };
    loop.run_until_complete(main());
    REQUIRE(reports.size() == (debug ? 1 : 0));
    if (!debug) continue;
    CHECK(holds(reports.message(), "number"));
    CHECK(holds(reports.message(), "test_coroutine.cpp"));
    CHECK(holds(reports.message(), "was never awaited"));
  }
}

TEST_CASE("Coroutine: an exception comes out of the co_await, through any depth") {
  auto failing = [](int depth, auto& self) -> Coroutine<int> {
    if (depth == 0) throw std::logic_error("deep");
    co_return co_await self(depth - 1, self);
  };
  auto main = [failing]() -> Coroutine<std::string> {
    try {
      co_await failing(10, failing);
    } catch (const std::logic_error& error) {
      co_return error.what();
    }
    co_return "";
  };
  CHECK(run_virtual(main()) == "deep");
  CHECK_THROWS_AS(run_virtual(failing(3, failing)), std::logic_error);
}

TEST_CASE("Coroutine: a result that can only be moved goes through, without a copy") {
  auto make = []() -> Coroutine<std::unique_ptr<int>> { co_return std::make_unique<int>(5); };
  auto pass_on = [make]() -> Coroutine<std::unique_ptr<int>> { co_return co_await make(); };
  CHECK(*run_virtual(pass_on()) == 5);
  LifetimeCounts counts;
  auto tracked = [](LifetimeCounts& counts) -> Coroutine<LifetimeTracked> {
    co_return LifetimeTracked(counts);
  };
  auto main = [tracked](LifetimeCounts& counts) -> Coroutine<> {
    const auto value = co_await tracked(counts);
    CHECK(counts.live == 1);
  };
  run_virtual(main(counts));
  CHECK(counts.copies == 0);
  CHECK(counts.live == 0);
}

TEST_CASE("Coroutine: one that never starts destroys its parameters, and no more") {
  LifetimeCounts counts;
  bool ran = false;
  auto body = [](LifetimeTracked, bool& ran) -> Coroutine<> {
    ran = true;
    co_return;
  };
  {
    auto dropped = body(LifetimeTracked(counts), ran);
    CHECK(counts.live == 1);
    dropped = body(LifetimeTracked(counts), ran);
    CHECK(counts.live == 1);
  }
  CHECK(counts.live == 0);
  {
    LogCapture log;
    aio::EventLoop loop;
    loop.create_task(body(LifetimeTracked(counts), ran));
    CHECK(counts.live == 1);
  }
  CHECK(counts.live == 0);
  CHECK_FALSE(ran);
}

TEST_CASE("Coroutine: locals are destroyed before the awaiting one goes on") {
  auto body = [](LifetimeCounts& counts) -> Coroutine<int> {
    const LifetimeTracked local(counts);
    co_await aio::yield();
    co_return counts.live.load();
  };
  auto main = [body](LifetimeCounts& counts) -> Coroutine<> {
    CHECK((co_await body(counts)) == 1);
    CHECK(counts.live == 0);
  };
  LifetimeCounts counts;
  run_virtual(main(counts));
}

TEST_CASE("await: ten million in sequence use up no stack") {
  auto main = []() -> Coroutine<long> {
    long sum = 0;
    for (int n = 0; n < 10'000'000; ++n) sum += co_await number(1);
    co_return sum;
  };
  CHECK(run_virtual(main()) == 10'000'000);
}

Coroutine<int> chain(int depth) {
  if (depth == 0) co_return 0;
  co_return 1 + co_await chain(depth - 1);
}

TEST_CASE("await: a chain a million deep uses up no stack") {
  CHECK(run_virtual(chain(1'000'000)) == 1'000'000);
}

// Without optimisation compilers turn no transfer into a jump.
#ifdef __clang__
#define PLAIT_TEST_UNOPTIMIZED [[clang::optnone]]
#else
#define PLAIT_TEST_UNOPTIMIZED [[gnu::optimize("O0")]]
#endif

PLAIT_TEST_UNOPTIMIZED Coroutine<int> slow_chain(int depth) {
  if (depth == 0) {
    co_await aio::yield();
    co_return 0;
  }
  co_return 1 + co_await slow_chain(depth - 1);
}

PLAIT_TEST_UNOPTIMIZED Coroutine<int> slow_sequence(int length) {
  int sum = 0;
  for (int n = 0; n < length; ++n) sum += co_await slow_chain(0) + 1;
  co_return sum;
}

TEST_CASE("await: neither does one that compilers do not turn into jumps") {
  CHECK(run_virtual(slow_chain(1'000'000)) == 1'000'000);
  CHECK(run_virtual(slow_sequence(1'000'000)) == 1'000'000);
}

TEST_CASE("capture_call_graph: shows the frames that are alive, whatever was awaited before") {
  auto inner = []() -> Coroutine<std::size_t> {
    co_await aio::yield();
    co_return aio::capture_call_graph()->stack.size();
  };
  auto main = [inner]() -> Coroutine<> {
    CHECK((co_await inner()) == 2);
    CHECK((co_await inner()) == 2);
    CHECK(aio::capture_call_graph()->stack.size() == 1);
  };
  run_virtual(main());
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
