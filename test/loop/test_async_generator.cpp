// AsyncGenerator: a body that waits and yields, its end, and its end with the loop.
#include <doctest/doctest.h>

#include <plait/aio.hpp>
#include <plait/testing/virtual_clock.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "../support/lifetime_tracked.hpp"
#include "../support/log_capture.hpp"

namespace plait::test {
namespace {

using namespace std::chrono_literals;
using aio::AsyncGenerator;
using Trace = std::vector<std::string>;

AsyncGenerator<int> tick(int last, Duration pause) {
  for (int n = 1; n <= last; ++n) {
    co_await aio::sleep(pause);
    co_yield n;
  }
}

// Notes how it ends, and waits while it does.
AsyncGenerator<int> careful(Trace& trace) {
  bool exit = false;
  try {
    co_yield 1;
  } catch (const GeneratorExit&) {
    exit = true;
  }
  if (exit) {
    co_await aio::sleep(1s);
    trace.push_back("closed");
  }
}

AsyncGenerator<int> stubborn() {
  try {
    co_yield 1;
  } catch (const GeneratorExit&) {
  }
  co_yield 2;
}

template <class T>
T run_virtual(Coroutine<T> main) {
  return testing::VirtualLoop().run(std::move(main));
}

// The text of the RuntimeError that awaiting `coro` throws; empty: none.
template <class T>
Coroutine<std::string> runtime_error_of(Coroutine<T> coro) {
  try {
    co_await std::move(coro);
  } catch (const RuntimeError& error) {
    co_return error.what();
  }
  co_return "";
}

TEST_SUITE_BEGIN("loop/async_generator");

TEST_CASE("next: gives what the body yields between its waits, then nothing") {
  auto main = []() -> Coroutine<> {
    const auto start = aio::get_running_loop().time();
    auto ticks = tick(3, 1s);
    std::vector<int> seen;
    while (auto n = co_await ticks.next()) seen.push_back(*n);
    CHECK(seen == std::vector{1, 2, 3});
    CHECK(aio::get_running_loop().time() - start == 3s);
    CHECK((co_await ticks.next()) == std::nullopt);
  };
  run_virtual(main());
}

TEST_CASE("next: different tasks may take turns, and a task may be made of it") {
  auto main = []() -> Coroutine<> {
    auto ticks = tick(4, 1s);
    CHECK((co_await ticks.next()) == 1);
    CHECK((co_await aio::create_task(ticks.next())) == 2);
    CHECK((co_await ticks.next()) == 3);
    CHECK((co_await aio::create_task(ticks.next())) == 4);
  };
  run_virtual(main());
}

TEST_CASE("next: two tasks at once are a RuntimeError for the second") {
  auto main = []() -> Coroutine<> {
    auto ticks = tick(2, 1s);
    auto first = aio::create_task(ticks.next());
    co_await aio::yield();
    CHECK(holds(co_await runtime_error_of(ticks.next()), "already running"));
    CHECK(holds(co_await runtime_error_of(ticks.aclose()), "already running"));
    CHECK((co_await first) == 1);
    CHECK((co_await ticks.next()) == 2);
  };
  run_virtual(main());
}

TEST_CASE("next: an exception of the body comes out once") {
  auto body = []() -> AsyncGenerator<int> {
    co_yield 1;
    co_await aio::yield();
    throw std::logic_error("body");
  };
  auto main = [](AsyncGenerator<int> failing) -> Coroutine<> {
    co_await failing.next();
    std::string text;
    try {
      co_await failing.next();
    } catch (const std::logic_error& error) {
      text = error.what();
    }
    CHECK(text == "body");
    CHECK((co_await failing.next()) == std::nullopt);
  };
  run_virtual(main(body()));
}

TEST_CASE("next: cancelling the task reaches the body's await and ends the generator") {
  auto body = [](Trace& trace) -> AsyncGenerator<int> {
    try {
      co_await aio::sleep(1h);
    } catch (const CancelledError& error) {
      trace.push_back(error.message());
      throw;
    }
    co_yield 1;
  };
  auto main = [](AsyncGenerator<int> slow, Trace& trace) -> Coroutine<> {
    auto task = aio::create_task(slow.next());
    co_await aio::yield();
    task.cancel("enough");
    try {
      co_await task;
    } catch (const CancelledError&) {
      trace.push_back("cancelled");
    }
    CHECK((co_await slow.next()) == std::nullopt);
  };
  Trace trace;
  run_virtual(main(body(trace), trace));
  CHECK(trace == Trace{"enough", "cancelled"});
}

TEST_CASE("get_stack: shows the body below who awaits next()") {
  auto main = []() -> Coroutine<> {
    auto ticks = tick(2, 1s);
    auto task = aio::create_task(ticks.next());
    co_await aio::yield();
    const auto stack = task.get_stack();
    REQUIRE(stack.size() == 3);
    CHECK(holds(stack[1], "tick"));
    CHECK(holds(stack[2], "sleep"));
    co_await task;
  };
  run_virtual(main());
}

TEST_CASE("next: yields without waiting use up no stack") {
  auto body = []() -> AsyncGenerator<int> {
    for (int n = 0; n < 300'000; ++n) co_yield n;
  };
  auto main = [](AsyncGenerator<int> numbers) -> Coroutine<int> {
    int count = 0;
    while (co_await numbers.next()) ++count;
    co_return count;
  };
  CHECK(run_virtual(main(body())) == 300'000);
}

TEST_CASE("next: values that can only be moved go through") {
  auto body = []() -> AsyncGenerator<std::unique_ptr<int>> {
    co_yield std::make_unique<int>(1);
    co_yield std::make_unique<int>(2);
  };
  auto main = [](AsyncGenerator<std::unique_ptr<int>> pointers) -> Coroutine<> {
    auto first = co_await pointers.next();
    CHECK(**first == 1);
    auto moved = std::move(pointers);
    CHECK(**co_await moved.next() == 2);
    // NOLINTNEXTLINE(bugprone-use-after-move): that is what is tested
    CHECK_FALSE((co_await pointers.next()).has_value());
  };
  run_virtual(main(body()));
}

TEST_CASE("aclose: throws GeneratorExit at the co_yield, and waits for the body's end") {
  auto main = [](Trace& trace) -> Coroutine<> {
    auto generator = careful(trace);
    co_await generator.next();
    co_await generator.aclose();
    CHECK(trace == Trace{"closed"});
    CHECK((co_await generator.next()) == std::nullopt);
    co_await generator.aclose();
  };
  Trace trace;
  run_virtual(main(trace));
}

TEST_CASE("aclose: a generator that was never started does not run") {
  auto body = [](LifetimeTracked, Trace& trace) -> AsyncGenerator<int> {
    trace.push_back("ran");
    co_yield 1;
  };
  auto main = [](AsyncGenerator<int> generator, LifetimeCounts& counts) -> Coroutine<> {
    co_await generator.aclose();
    CHECK(counts.live == 0);
    CHECK((co_await generator.next()) == std::nullopt);
  };
  LifetimeCounts counts;
  Trace trace;
  auto unstarted = body(LifetimeTracked(counts), trace);
  CHECK(counts.live == 1);
  run_virtual(main(std::move(unstarted), counts));
  CHECK(trace.empty());
}

TEST_CASE("aclose: a body that yields in spite of it is a RuntimeError; others come out") {
  auto failing = []() -> AsyncGenerator<int> {
    try {
      co_yield 1;
    } catch (const GeneratorExit&) {
      throw RuntimeError("in aclose");
    }
  };
  auto main = [](AsyncGenerator<int> ignoring, AsyncGenerator<int> failing) -> Coroutine<> {
    co_await ignoring.next();
    CHECK(holds(co_await runtime_error_of(ignoring.aclose()), "ignored GeneratorExit"));
    CHECK((co_await ignoring.next()) == std::nullopt);  // and not the 2 that was dropped
    co_await failing.next();
    CHECK((co_await runtime_error_of(failing.aclose())) == "in aclose");
  };
  run_virtual(main(stubborn(), failing()));
}

TEST_CASE("destructor: destroys a suspended body where it stands") {
  auto body = [](LifetimeCounts& counts) -> AsyncGenerator<int> {
    const LifetimeTracked local(counts);
    co_yield 1;
  };
  auto main = [](AsyncGenerator<int> generator, LifetimeCounts& counts) -> Coroutine<> {
    co_await generator.next();
    CHECK(counts.live == 1);
    generator = tick(1, 1s);
    CHECK(counts.live == 0);
  };
  LifetimeCounts counts;
  run_virtual(main(body(counts), counts));
}

TEST_CASE("destructor: a next() that waits goes on without the handle") {
  auto main = []() -> Coroutine<> {
    std::optional<AsyncGenerator<int>> ticks = tick(2, 1s);
    auto task = aio::create_task(ticks->next());
    co_await aio::yield();
    ticks.reset();
    CHECK((co_await task) == 1);
  };
  run_virtual(main());
}

TEST_CASE("next: without a running loop, or with another one later") {
  auto ticks = tick(3, 1s);
  auto take = [](AsyncGenerator<int>& ticks) -> Coroutine<std::optional<int>> {
    co_return co_await ticks.next();
  };
  CHECK(run_virtual(take(ticks)) == 1);
  CHECK(run_virtual(take(ticks)) == 2);
}

// ---------------------------------------------------------------- the loop's end

TEST_CASE("run: closes what is still suspended at the end") {
  Trace trace;
  auto generator = careful(trace);
  auto main = [](AsyncGenerator<int>& generator) -> Coroutine<> { co_await generator.next(); };
  aio::run(main(generator), {.virtual_time = true});
  CHECK(trace == Trace{"closed"});
}

TEST_CASE("shutdown_asyncgens: closes all at once, and reports their errors") {
  auto main = [](Trace& trace) -> Coroutine<> {
    auto& loop = aio::get_running_loop();
    Trace reports;
    loop.set_exception_handler([&](aio::EventLoop&, const aio::ExceptionContext& context) {
      reports.push_back(context.message);
    });
    auto first = careful(trace), second = careful(trace), third = stubborn(),
         unstarted = stubborn();
    co_await first.next();
    co_await second.next();
    co_await third.next();
    const auto start = loop.time();
    co_await loop.shutdown_asyncgens();
    CHECK(loop.time() - start == 1s);
    CHECK(trace == Trace{"closed", "closed"});
    REQUIRE(reports.size() == 1);
    CHECK(holds(reports[0], "closing of an asynchronous generator"));
    LogCapture log;
    co_await unstarted.next();
    CHECK(log.count("after shutdown_asyncgens()") == 1);
  };
  Trace trace;
  run_virtual(main(trace));
}

TEST_CASE("EventLoop::close: a next() that waits is destroyed with its task") {
  LifetimeCounts counts;
  auto body = [](LifetimeCounts& counts) -> AsyncGenerator<int> {
    const LifetimeTracked local(counts);
    co_await aio::sleep(1h);
    co_yield 1;
  };
  auto generator = body(counts);
  LogCapture log;
  {
    aio::EventLoop loop({.virtual_time = true});
    auto task = loop.create_task(generator.next());
    loop.run_until_complete(aio::yield());
    CHECK(counts.live == 1);
  }
  CHECK(counts.live == 0);
  CHECK(log.count("Task was destroyed but it is pending") == 1);
  auto take = [](AsyncGenerator<int>& ended) -> Coroutine<std::optional<int>> {
    co_return co_await ended.next();
  };
  CHECK(run_virtual(take(generator)) == std::nullopt);
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
