// Tests of workers that wait, and run meanwhile what the end of that needs.
#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <plait/core/as_completed.hpp>
#include <plait/core/cancelled_error.hpp>
#include <plait/core/errors.hpp>
#include <plait/core/promise.hpp>
#include <plait/core/wait.hpp>
#include <plait/executors/inline_executor.hpp>
#include <plait/executors/thread_pool_executor.hpp>
#include <plait/loop/gather.hpp>

#include "../support/process_probe.hpp"

using namespace plait;
using namespace std::chrono_literals;

namespace {

constexpr auto limit = 60s;

int three() { return 3; }

// What it gives is 3 whatever the way; each way needs queued jobs of `pool`, which has no worker
// but the one that waits for this.
Coroutine<int> job_of(Executor& pool) { co_return co_await pool.submit(three); }
Coroutine<int> chain_to(Executor& pool, int length) {
  if (length == 0) co_return co_await pool.submit(three);
  co_return co_await pool.submit(chain_to, std::ref(pool), length - 1);
}
Coroutine<int> gathered_by(Executor& pool) {
  std::vector<Coroutine<int>> children;
  for (int i = 0; i < 100; ++i) children.push_back(job_of(pool));
  auto [job, all] = co_await aio::gather(pool.submit(three), aio::gather(std::move(children)));
  for (const int one : all) CHECK(one == 3);
  co_return job;
}
Coroutine<int> gathered_and_blocked_for(Executor& pool) {
  std::vector<Coroutine<int>> children;
  for (int i = 0; i < 100; ++i) children.push_back(chain_to(pool, 2));
  co_return aio::gather(std::move(children)).result().back();
}
Coroutine<int> inline_job_of(Executor& pool) {
  InlineExecutor inline_executor;
  co_return co_await inline_executor.submit(job_of, std::ref(pool));
}
Coroutine<int> job_later(Executor& pool, Future<> signal) {
  co_await signal;
  co_return co_await pool.submit(three);
}
Coroutine<int> awaiting(Future<int> future) { co_return co_await future; }
Coroutine<int> awaiting_each_other(Promise<Future<int>>& partner) {
  co_return co_await co_await partner.get_future();
}

using Way = std::function<Future<int>(ThreadPoolExecutor&)>;
template <class Fn, class... Args>
Way coroutine(Fn fn, Args... args) {
  return [=](ThreadPoolExecutor& pool) {
    return pool.submit(fn, std::ref(static_cast<Executor&>(pool)), args...);
  };
}

const std::vector<std::pair<std::string, Way>> ways{
    {"a job", [](ThreadPoolExecutor& pool) { return pool.submit(three); }},
    {"a coroutine that awaits a job", coroutine(job_of)},
    {"a chain of coroutines", coroutine(chain_to, 100)},
    {"a gather of jobs, coroutines and a gather", coroutine(gathered_by)},
    {"a coroutine that blocks for a gather", coroutine(gathered_and_blocked_for)},
    {"a coroutine that awaits one of another executor", coroutine(inline_job_of)},
    {"a coroutine of another executor",
     [](ThreadPoolExecutor& pool) {
       InlineExecutor inline_executor;
       return inline_executor.submit(job_of, std::ref(static_cast<Executor&>(pool)));
     }},
};

const std::vector<std::pair<std::string, std::function<int(Future<int>)>>> waits{
    {"result", [](Future<int> future) { return future.result(); }},
    {"result with a timeout", [](Future<int> future) { return future.result(limit); }},
    {"wait", [](Future<int> future) { return wait(std::vector{future}).done.begin()->result(); }},
    {"as_completed",
     [](Future<int> future) {
       int value = 0;
       for (const auto& done : as_completed(std::vector{std::move(future)})) value = done.result();
       return value;
     }},
};

TEST_SUITE_BEGIN("bridge/needed_work");

TEST_CASE("every wait: the only worker runs what the end of that needs, in whatever way") {
  for (const auto& [way, begin] : ways) {
    for (const auto& [name, end] : waits) {
      INFO(name << " for " << way);
      ThreadPoolExecutor pool(1);
      CHECK(pool.submit([&] { return end(begin(pool)); }).result(limit) == 3);
    }
  }
}

TEST_CASE("every wait: the only worker hears of what is needed only later") {
  for (const auto& [name, end] : waits) {
    INFO(name);
    ThreadPoolExecutor pool(1), other(1);
    Promise<> signal;
    // It goes on in the thread of `other`, which queues the job where the only worker waits.
    auto waits_for_signal =
        other.submit(job_later, std::ref(static_cast<Executor&>(pool)), signal.get_future());
    Promise<pid_t> worker;
    auto outer = pool.submit([&] {
      auto inner = pool.submit(awaiting, pool.submit(awaiting, waits_for_signal));
      worker.set_result(test::this_thread_id());
      return end(inner);
    });
    const pid_t id = worker.get_future().result(limit);
    CHECK(test::eventually([&] { return test::is_asleep(id); }));
    signal.set_result();
    CHECK(outer.result(limit) == 3);
  }
}

TEST_CASE("result: several workers that wait for one coroutine all hear of what it needs") {
  constexpr int workers = 4;
  ThreadPoolExecutor pool(workers), other(1);
  for (int round = 0; round < 100; ++round) {
    Promise<> signal;
    auto needs_job =
        other.submit(job_later, std::ref(static_cast<Executor&>(pool)), signal.get_future());
    auto shared = pool.submit(awaiting, needs_job);
    std::vector<Future<int>> outer;
    for (int i = 0; i < workers; ++i) {
      outer.push_back(pool.submit([shared] { return shared.result(); }));
    }
    signal.set_result();
    for (const auto& future : outer) CHECK(future.result(limit) == 3);
  }
}

TEST_CASE("result: coroutines that wait for each other are searched once") {
  ThreadPoolExecutor pool(1);
  Promise<Future<int>> to_first, to_second;
  auto first = pool.submit(awaiting_each_other, std::ref(to_first));
  auto second = pool.submit(awaiting_each_other, std::ref(to_second));
  to_first.set_result(second);
  to_second.set_result(first);
  auto outer = pool.submit([&] { return first.result(10ms); });
  CHECK_THROWS_AS((void)outer.result(limit), TimeoutError);
  first.request_stop();
  CHECK_THROWS_AS((void)first.result(limit), CancelledError);
  CHECK_THROWS_AS((void)second.result(limit), CancelledError);
}

TEST_SUITE_END();

}  // namespace
