// A loop and the executors it gives jobs to: their results, their cancellation, and both ends.
#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <numeric>
#include <optional>
#include <plait/aio.hpp>
#include <plait/futures.hpp>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "../support/gate.hpp"
#include "../support/lifetime_tracked.hpp"
#include "../support/log_capture.hpp"
#include "../support/loop_probe.hpp"
#include "../support/on_loop.hpp"
#include "../support/prepared_futures.hpp"
#include "../support/process_probe.hpp"

namespace plait::test {
namespace {

TEST_SUITE_BEGIN("loop/run_in_executor");

Coroutine<> await_job(Future<> job) { co_await job; }
// By then the tasks made before wait, too.
Coroutine<> yield_until_arrival(const Gate& gate) {
  co_await settle();
  while (gate.arrived() == 0) co_await aio::yield();
}

TEST_CASE("run_in_executor: passes on arguments, references, and what can only be moved") {
  on_loop([]() -> Coroutine<> {
    auto& loop = aio::get_running_loop();
    int target = 0;
    const auto add = [](int& sum, std::unique_ptr<int> value) -> int& { return sum += *value; };
    auto future = loop.run_in_executor(nullptr, add, std::ref(target), std::make_unique<int>(3));
    CHECK(co_await std::move(future) == 3);
    CHECK(target == 3);
    auto made = loop.run_in_executor(nullptr, [] { return std::make_unique<int>(4); });
    const auto pointer = co_await std::move(made);
    CHECK(*pointer == 4);
    InlineExecutor here;
    CHECK(co_await loop.run_in_executor(&here, std::this_thread::get_id) ==
          std::this_thread::get_id());
  });
}

TEST_CASE("run_in_executor: what the job throws comes out of the await") {
  on_loop([]() -> Coroutine<> {
    const auto fail = [] { throw TestError("job"); };
    CHECK(co_await throws<TestError>(
        await_job(aio::get_running_loop().run_in_executor(nullptr, fail))));
  });
}

TEST_CASE("run_in_executor: refuses null, and a pool that was shut down") {
  aio::EventLoop loop;
  void (*const nothing)() = nullptr;
  CHECK_THROWS_AS(loop.run_in_executor(nullptr, nothing), std::invalid_argument);
  ThreadPoolExecutor pool(1);
  pool.shutdown();
  CHECK_THROWS_AS(loop.run_in_executor(&pool, [] {}), RuntimeError);
}

TEST_CASE("run_in_executor: ten thousand gathered jobs give their results in order") {
  on_loop([]() -> Coroutine<> {
    std::vector<Future<int>> jobs;
    for (int i = 0; i < 10000; ++i) {
      jobs.push_back(aio::get_running_loop().run_in_executor(nullptr, [i] { return i; }));
    }
    const auto results = co_await aio::gather(std::move(jobs));
    std::vector<int> expected(10000);
    std::iota(expected.begin(), expected.end(), 0);
    CHECK(results == expected);
  });
}

TEST_CASE("cancel: of who awaits cancels the queued job") {
  on_loop([]() -> Coroutine<> {
    ThreadPoolExecutor pool(1);
    Gate gate;
    auto& loop = aio::get_running_loop();
    const auto running = loop.run_in_executor(&pool, [&] { gate.pass(); });
    const auto queued = loop.run_in_executor(&pool, [] {});
    const auto task = loop.create_task(await_job(queued));
    co_await yield_until_arrival(gate);
    task.cancel();
    co_await settle();
    CHECK(task.cancelled());
    CHECK(queued.cancelled());
    gate.open();
    co_await running;
  });
}

TEST_CASE("cancel: of who awaits asks the running job to stop and does not wait for it") {
  on_loop([]() -> Coroutine<> {
    ThreadPoolExecutor pool(1);
    Gate gate, asked;
    auto& loop = aio::get_running_loop();
    const auto job = loop.run_in_executor(&pool, [&](std::stop_token token) {
      const std::stop_callback tell(token, [&] { asked.open(); });
      gate.pass();
      asked.pass();
    });
    const auto task = loop.create_task(await_job(job));
    co_await yield_until_arrival(gate);
    task.cancel();
    co_await settle();
    CHECK(task.cancelled());
    CHECK_FALSE(job.done());
    gate.open();
    co_await job;
  });
}

TEST_CASE("shutdown: of a pool while a coroutine awaits: the job ends, or is cancelled") {
  on_loop([]() -> Coroutine<> {
    ThreadPoolExecutor pool(1);
    Gate gate;
    auto& loop = aio::get_running_loop();
    const auto running =
        loop.create_task(await_job(loop.run_in_executor(&pool, [&] { gate.pass(); })));
    const auto queued = loop.create_task(await_job(loop.run_in_executor(&pool, [] {})));
    co_await yield_until_arrival(gate);
    pool.shutdown({.wait = false, .cancel_futures = true});
    gate.open();
    co_await running;
    CHECK(co_await throws<CancelledError>(await_job(queued)));
  });
}

TEST_CASE("close: waits for no job of the default executor, and no result is lost") {
  const auto threads = thread_count();
  Gate gate;
  Future<int> running, queued;
  std::vector<Future<>> blocked;
  {
    aio::EventLoop loop;
    running = loop.run_in_executor(nullptr, [&] {
      gate.pass();
      return 1;
    });
    gate.wait_for_arrivals(1);
    for (std::size_t i = 0; i < usable_cpus() + 36; ++i) {
      blocked.push_back(loop.run_in_executor(nullptr, [&] { gate.pass(); }));
    }
    queued = loop.run_in_executor(nullptr, [] { return 2; });
  }
  CHECK_FALSE(running.done());
  CHECK_FALSE(queued.done());
  gate.open();
  CHECK(running.result() == 1);
  CHECK(queued.result() == 2);
  for (const auto& job : blocked) job.wait();
  CHECK(eventually([&] { return thread_count() == threads; }));
}

TEST_CASE("close: while a task awaits a job, the task is cancelled and the job goes on") {
  LogCapture log;
  Gate gate;
  ThreadPoolExecutor pool(1);
  Future<> job;
  std::optional<aio::Task<>> task;
  {
    aio::EventLoop loop;
    job = loop.run_in_executor(&pool, [&] { gate.pass(); });
    task = loop.create_task(await_job(job));
    run_briefly(loop);
  }
  CHECK(task->cancelled());
  CHECK(log.count("Task was destroyed but it is pending!") == 1);
  CHECK_FALSE(job.done());
  gate.open();
  job.result();
}

TEST_CASE("close: jobs that come back to the loop are told that it is closed") {
  const auto threads = thread_count();
  Gate gate;
  Future<std::string> job;
  {
    auto loop = std::make_unique<aio::EventLoop>();
    job = loop->run_in_executor(nullptr, [&gate, &loop = *loop] {
      gate.pass();
      return text_of<RuntimeError>(
          [&] { aio::run_coroutine_threadsafe(empty_coroutine(), loop).result(); });
    });
    gate.wait_for_arrivals(1);
    loop->close();
    gate.open();
    CHECK(job.result() == "Event loop is closed");
  }
  CHECK(eventually([&] { return thread_count() == threads; }));
}

TEST_CASE("stop: a loop that is stopped meanwhile gets the result in its next run") {
  aio::EventLoop loop;
  Gate gate;
  const auto task =
      loop.create_task(await_job(loop.run_in_executor(nullptr, [&] { gate.pass(); })));
  loop.call_soon([&] { loop.stop(); });
  loop.run_forever();
  CHECK_FALSE(task.done());
  gate.open();
  loop.run_until_complete(task);
}

TEST_CASE("set_default_executor: jobs of the one before still run, and its threads end") {
  const auto threads = thread_count();
  Gate gate;
  aio::EventLoop loop;
  const auto first = loop.run_in_executor(nullptr, [&] { gate.pass(); });
  loop.set_default_executor(std::make_shared<InlineExecutor>());
  CHECK(loop.run_in_executor(nullptr, std::this_thread::get_id).result() ==
        std::this_thread::get_id());
  CHECK_FALSE(first.done());
  gate.open();
  first.result();
  CHECK(eventually([&] { return thread_count() == threads; }));
}

TEST_CASE("close: shuts the user's default executor down, which the user may keep") {
  const auto pool = std::make_shared<ThreadPoolExecutor>(1);
  {
    aio::EventLoop loop;
    loop.set_default_executor(pool);
  }
  CHECK_THROWS_AS(pool->submit([] {}), RuntimeError);
  CHECK(pool.use_count() == 1);
}

TEST_CASE("shutdown_default_executor: without an executor is done at once, and says so later") {
  aio::EventLoop loop;
  loop.run_until_complete(loop.shutdown_default_executor());
  loop.run_until_complete(loop.shutdown_default_executor());
  CHECK_THROWS_AS(loop.run_in_executor(nullptr, [] {}), RuntimeError);
  InlineExecutor other;
  CHECK(loop.run_in_executor(&other, [] { return 1; }).result() == 1);
}

TEST_CASE("shutdown_default_executor: warns after the timeout and waits no longer") {
  const LogCapture log;
  const auto threads = thread_count();
  Gate gate;
  aio::EventLoop loop;
  const auto job = loop.run_in_executor(nullptr, [&] { gate.pass(); });
  loop.run_until_complete(loop.shutdown_default_executor(1ms));
  CHECK(log.count("The executor did not finish joining its threads within 0.001") == 1);
  CHECK_FALSE(job.done());
  gate.open();
  job.result();
  loop.run_until_complete(loop.shutdown_default_executor());
  CHECK(eventually([&] { return thread_count() == threads; }));
}

TEST_CASE("shutdown_default_executor: virtual time stands still until the jobs have ended") {
  on_loop([]() -> Coroutine<> {
    auto& loop = aio::get_running_loop();
    const auto start = loop.time();
    Gate gate;
    bool struck = false;
    loop.call_later(1h, [&] { struck = true; });
    const auto job = loop.run_in_executor(nullptr, [&] { gate.pass(); });
    const auto shutdown = loop.create_task(loop.shutdown_default_executor(1s));
    co_await yield_until_arrival(gate);
    gate.open();
    co_await shutdown;
    CHECK(job.done());
    CHECK(loop.time() == start);
    CHECK_FALSE(struck);
  });
}

TEST_CASE("shutdown_default_executor: cancelled, the loop goes on and the jobs, too") {
  const auto threads = thread_count();
  Gate gate;
  aio::EventLoop loop;
  const auto job = loop.run_in_executor(nullptr, [&] { gate.pass(); });
  const auto shutdown = loop.create_task(loop.shutdown_default_executor());
  run_briefly(loop);
  shutdown.cancel();
  CHECK_THROWS_AS(loop.run_until_complete(shutdown), CancelledError);
  CHECK_FALSE(job.done());
  gate.open();
  job.result();
  CHECK(eventually([&] { return thread_count() == threads; }));
}

TEST_CASE("close: while the default executor is being shut down wakes nobody afterwards") {
  const LogCapture log;
  const auto threads = thread_count();
  Gate gate;
  Future<> job;
  {
    aio::EventLoop loop;
    job = loop.run_in_executor(nullptr, [&] { gate.pass(); });
    static_cast<void>(loop.create_task(loop.shutdown_default_executor()));
    run_briefly(loop);
  }
  gate.open();
  job.result();
  CHECK(eventually([&] { return thread_count() == threads; }));
}

TEST_CASE("a loop that is idle: goes to sleep soon after jobs have come back, and stays so") {
  for (const bool with_selector : {false, true}) {
    aio::EventLoop loop;
    if (with_selector) loop.context();
    Gate gate;
    ProbedThread runner([&] {
      const auto main = [&]() -> Coroutine<> {
        for (int i = 0; i < 200; ++i) co_await loop.run_in_executor(nullptr, [] {});
        co_await loop.run_in_executor(nullptr, [&] { gate.pass(); });
      };
      loop.run_until_complete(main());
    });
    gate.wait_for_arrivals(1);
    runner.wait_until_asleep();
    gate.open();
    runner.join();
  }
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
