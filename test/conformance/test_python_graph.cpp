// CPython's test_graph: who waits for whom.
#include <doctest/doctest.h>

#include <plait/aio.hpp>
#include <plait/testing/virtual_clock.hpp>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "../support/log_capture.hpp"

namespace plait::test {
namespace {

using namespace std::chrono_literals;
using aio::CallGraph;

std::vector<std::string> names(const std::vector<CallGraph>& graphs) {
  std::vector<std::string> found;
  for (const auto& graph : graphs) found.push_back(graph.name);
  return found;
}

template <class T>
T run_virtual(Coroutine<T> main) {
  return testing::VirtualLoop().run(std::move(main));
}

Coroutine<CallGraph> graph_of_caller() {
  co_await aio::yield();  // the frame of an await that has ended must not be seen
  co_return *aio::capture_call_graph();
}

Coroutine<> await_future(Future<> future) { co_await future; }

TEST_SUITE_BEGIN("conformance/test_graph");

TEST_CASE(
    "capture_call_graph: a named task and who awaits it [cpython test_graph.test_stack_task]") {
  auto middle = []() -> Coroutine<CallGraph> { co_return co_await graph_of_caller(); };
  auto main = [](Coroutine<CallGraph> coro) -> Coroutine<> {
    aio::EventLoop& loop = aio::get_running_loop();
    auto task = loop.create_task(std::move(coro), {.name = "there there"});
    const CallGraph graph = co_await task;
    CHECK(graph.name == "there there");
    REQUIRE(graph.stack.size() == 2);
    CHECK(holds(graph.stack[1], "graph_of_caller"));
    REQUIRE(graph.awaited_by.size() == 1);
    CHECK(graph.awaited_by[0].stack.size() == 1);
    CHECK(graph.awaited_by[0].awaited_by.empty());
    const std::string text = aio::format_call_graph(graph);
    CHECK(text.starts_with("* there there\n  + Call stack:\n  |   "));
    CHECK(holds(text, "\n  + Awaited by:\n     * Task-"));
  };
  run_virtual(main(middle()));
}

TEST_CASE(
    "capture_call_graph: a plain future and the tasks that await it [cpython "
    "test_graph.test_stack_future]") {
  auto main = []() -> Coroutine<> {
    aio::EventLoop& loop = aio::get_running_loop();
    auto promise = loop.create_promise();
    auto future = promise.get_future();
    auto a = loop.create_task(await_future(future), {.name = "A"});
    auto b = loop.create_task(await_future(future), {.name = "B"});
    co_await aio::yield();
    const auto graph = aio::capture_call_graph(future);
    CHECK(graph->stack.empty());
    CHECK(names(graph->awaited_by) == std::vector<std::string>{"A", "B"});
    CHECK(holds(graph->awaited_by[0].stack.back(), "await_future"));
    a.cancel();
    co_await aio::yield();
    CHECK(names(aio::capture_call_graph(future)->awaited_by).empty());  // it was cancelled, too
    co_await aio::yield();
    CHECK(b.cancelled());
  };
  run_virtual(main());
}

TEST_CASE(
    "capture_call_graph: an await that has ended leaves no entry [cpython "
    "test_graph.test_stack_future/resolved]") {
  auto main = []() -> Coroutine<> {
    aio::EventLoop& loop = aio::get_running_loop();
    auto promise = loop.create_promise();
    auto a = loop.create_task(await_future(promise.get_future()), {.name = "A"});
    co_await aio::yield();
    promise.set_result();
    CHECK(names(aio::capture_call_graph(promise.get_future())->awaited_by).empty());
    co_await a;
    CHECK(aio::capture_call_graph(a)->stack.empty());
  };
  run_virtual(main());
}

TEST_CASE(
    "capture_call_graph: a group's task, its owner and two siblings that await it [cpython "
    "test_graph.test_stack_tgroup]") {
  auto leaf = []() -> Coroutine<CallGraph> { co_return co_await graph_of_caller(); };
  auto sibling = [](aio::Task<CallGraph> task) -> Coroutine<> { co_await task; };
  auto owner = [leaf, sibling]() -> Coroutine<CallGraph> {
    co_return co_await aio::task_group([=](aio::TaskGroup& group) -> Coroutine<CallGraph> {
      auto task = group.create_task(leaf(), {.name = "leaf"});
      group.create_task(sibling(task), {.name = "sibling 1"});
      group.create_task(sibling(task), {.name = "sibling 2"});
      co_return co_await task;
    });
  };
  auto main = [owner]() -> Coroutine<CallGraph> {
    co_return co_await aio::create_task(owner(), {.name = "owner"});
  };
  const CallGraph graph = run_virtual(main());
  CHECK(graph.name == "leaf");
  auto awaited_by = names(graph.awaited_by);
  std::ranges::sort(awaited_by);
  // The owner twice: for its scope, and as its body awaits the task itself.
  CHECK(awaited_by == std::vector<std::string>{"owner", "owner", "sibling 1", "sibling 2"});
  for (const auto& waiting : graph.awaited_by) {
    REQUIRE(waiting.awaited_by.size() == 1);
    const bool is_owner = waiting.name == "owner";
    CHECK((waiting.awaited_by[0].name == "owner") != is_owner);
  }
}

TEST_CASE("capture_call_graph: none in a callback, an error outside of a loop") {
  CHECK_THROWS_AS(aio::capture_call_graph(), RuntimeError);
  CHECK_THROWS_AS(aio::capture_call_graph(Future<>()), InvalidStateError);
  bool none = false;
  aio::EventLoop loop;
  loop.call_soon([&] { none = !aio::capture_call_graph(); });
  loop.run_until_complete(aio::yield());
  CHECK(none);
}

TEST_CASE("capture_call_graph: tasks that wait for each other do not make it endless") {
  auto main = []() -> Coroutine<> {
    aio::EventLoop& loop = aio::get_running_loop();
    auto promise = loop.create_promise<Future<>>();
    auto wait_for_given = [](Future<Future<>> given) -> Coroutine<> {
      const Future<> other = co_await given;
      co_await other;
    };
    auto a = loop.create_task(wait_for_given(promise.get_future()), {.name = "A"});
    auto b = loop.create_task(await_future(a), {.name = "B"});
    promise.set_result(b);
    co_await aio::sleep(1s);
    const auto graph = aio::capture_call_graph(a);
    CHECK(names(graph->awaited_by) == std::vector<std::string>{"B"});
    CHECK(graph->awaited_by[0].awaited_by.empty());
  };
  LogCapture log;  // both are pending when the loop is closed
  run_virtual(main());
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
