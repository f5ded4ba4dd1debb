// CPython's cases of to_thread().
#include <doctest/doctest.h>

#include <chrono>
#include <plait/aio.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "../support/gate.hpp"
#include "../support/on_loop.hpp"

namespace plait::test {
namespace {

TEST_SUITE_BEGIN("conformance/threads");

TEST_CASE(
    "to_thread: calls the function once, with its arguments, in another thread "
    "[cpython test_threads.test_to_thread]") {
  on_loop([]() -> Coroutine<> {
    int calls = 0;
    const auto add = [&calls](int a, int b) {
      ++calls;
      return std::pair(a + b, std::this_thread::get_id());
    };
    const auto [sum, thread] = co_await aio::to_thread(add, 40, 2);
    CHECK(sum == 42);
    CHECK(thread != std::this_thread::get_id());
    CHECK(calls == 1);
  });
}

TEST_CASE(
    "to_thread: what the function throws comes out of the await "
    "[cpython test_threads.test_to_thread_exception]") {
  on_loop([]() -> Coroutine<> {
    const auto fail = [] { throw std::runtime_error("test"); };
    CHECK(co_await throws<std::runtime_error>(aio::to_thread(fail)));
  });
}

TEST_CASE("to_thread: ten at once are ten calls [cpython test_threads.test_to_thread_concurrent]") {
  on_loop([]() -> Coroutine<> {
    std::atomic<int> calls{0};
    std::vector<Coroutine<>> all;
    for (int i = 0; i < 10; ++i) all.push_back(aio::to_thread([&calls] { ++calls; }));
    co_await aio::gather(std::move(all));
    CHECK(calls == 10);
  });
}

ContextVar<int> variable{"variable"};

TEST_CASE("to_thread: the function sees the caller's context variables, and changes its own") {
  on_loop([]() -> Coroutine<> {
    variable.set(8);
    const auto read_and_set = [] {
      const int seen = variable.get();
      variable.set(9);
      return seen;
    };
    CHECK(co_await aio::to_thread(read_and_set) == 8);
    CHECK(variable.get() == 8);
    CHECK(co_await aio::get_running_loop().run_in_executor(nullptr,
                                                           [] { return variable.get(-1); }) == -1);
  });
}

TEST_CASE(
    "to_thread: a cancelled task does not wait for the function, which runs to its end "
    "[derived.to_thread_cancel]") {
  Gate gate;
  std::atomic<bool> ended{false};
  aio::EventLoop loop;
  const auto task = loop.create_task(aio::to_thread([&] {
    gate.pass();
    ended = true;
  }));
  loop.create_task([](Gate& entered, aio::Task<> waiting) -> Coroutine<> {
    while (entered.arrived() == 0) co_await aio::yield();
    waiting.cancel();
  }(gate, task));
  CHECK_THROWS_AS(loop.run_until_complete(task), CancelledError);
  CHECK_FALSE(ended);
  gate.open();
  loop.run_until_complete(loop.shutdown_default_executor());
  CHECK(ended);
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
