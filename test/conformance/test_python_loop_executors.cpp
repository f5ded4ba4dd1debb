// CPython's cases of a loop's default executor, from the suites of the loop, of run() and of pools.
#include <doctest/doctest.h>

#include <concepts>
#include <memory>
#include <plait/aio.hpp>
#include <plait/futures.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "../support/gate.hpp"
#include "../support/log_capture.hpp"
#include "../support/loop_probe.hpp"
#include "../support/on_loop.hpp"
#include "../support/process_probe.hpp"

namespace plait::test {
namespace {

TEST_SUITE_BEGIN("conformance/loop_executors");

TEST_CASE(
    "run_in_executor: gives the result of a call in another thread "
    "[cpython test_events.test_run_in_executor]") {
  on_loop([]() -> Coroutine<> {
    const auto echo = [](std::string text) { return std::pair(text, std::this_thread::get_id()); };
    auto future = aio::get_running_loop().run_in_executor(nullptr, echo, "yo");
    const auto [text, thread] = co_await std::move(future);
    CHECK(text == "yo");
    CHECK(thread != std::this_thread::get_id());
  });
}

Coroutine<std::string> name_of_default_thread() {
  co_return co_await aio::get_running_loop().run_in_executor(nullptr, this_thread_name);
}

TEST_CASE(
    "set_default_executor: jobs then run there "
    "[cpython test_interpreter_pool.AsyncioTest.test_default_executor]") {
  aio::EventLoop loop;
  ThreadPoolOptions options;
  options.thread_name_prefix = "mine";
  loop.set_default_executor(std::make_shared<ThreadPoolExecutor>(options));
  CHECK(loop.run_until_complete(name_of_default_thread()) == "mine_0");
}

template <class E>
concept CanBeDefault =
    requires(aio::EventLoop& loop, std::shared_ptr<E> ex) { loop.set_default_executor(ex); };

TEST_CASE(
    "set_default_executor: refuses what is no executor, and keeps what there was "
    "[cpython test_base_events.test_set_default_executor_error]") {
  CHECK(CanBeDefault<ThreadPoolExecutor>);
  CHECK(CanBeDefault<InlineExecutor>);
  CHECK_FALSE(CanBeDefault<std::string>);
  aio::EventLoop loop;
  CHECK_THROWS_AS(loop.set_default_executor(nullptr), std::invalid_argument);
  CHECK(loop.run_until_complete(name_of_default_thread()) == "plait-loop_0");
}

TEST_CASE(
    "shutdown_default_executor: waits for the jobs beside the running loop "
    "[derived.loop_shutdown_default_executor]") {
  Gate gate;
  const auto threads = thread_count();
  aio::EventLoop loop;
  const auto main = [&]() -> Coroutine<> {
    const auto job = loop.run_in_executor(nullptr, [&] { gate.pass(); });
    const auto shutdown = loop.create_task(loop.shutdown_default_executor());
    while (gate.arrived() == 0) co_await aio::yield();
    co_await aio::sleep(1ms);  // the loop goes on
    CHECK_FALSE(shutdown.done());
    CHECK_FALSE(job.done());
    gate.open();
    co_await shutdown;
    CHECK(job.done());
    CHECK(text_of<RuntimeError>([&] { loop.run_in_executor(nullptr, [] {}); }) ==
          "Executor shutdown has been called");
  };
  loop.run_until_complete(main());
  CHECK(thread_count() == threads);
}

Coroutine<> leave_job(std::shared_ptr<Gate> gate, Future<>& job) {
  job = aio::get_running_loop().run_in_executor(nullptr, [gate] { gate->pass(); });
  co_return;
}

TEST_CASE(
    "run: returns when the jobs of the default executor have ended "
    "[derived.run_joins_default_executor]") {
  const auto threads = thread_count();
  const auto gate = std::make_shared<Gate>();
  Future<> job;
  std::atomic<bool> returned{false};
  ProbedThread runner([&] {
    aio::run(leave_job(gate, job));
    CHECK(job.done());
    returned = true;
  });
  gate->wait_for_arrivals(1);
  runner.wait_until_asleep();
  CHECK_FALSE(returned);
  gate->open();
  runner.join();
  CHECK(returned);
  CHECK(thread_count() == threads);
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
