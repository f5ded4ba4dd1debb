// Contender of crossings: plait.
#include <plait/aio.hpp>
#include <plait/futures.hpp>

#include <algorithm>
#include <thread>
#include <utility>
#include <vector>

#include "crossing_contender.hpp"
#include "harness.hpp"

namespace bench {
namespace {

namespace aio = plait::aio;
using plait::Coroutine;

int job() { return 1; }

Coroutine<> await_often(plait::Executor& pool, std::size_t count) {
  aio::EventLoop& loop = aio::get_running_loop();
  std::size_t sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    sum += static_cast<std::size_t>(co_await loop.run_in_executor(&pool, job));
  }
  require(sum == count, "plait: awaited jobs");
}

Coroutine<> gather_often(plait::Executor& pool, std::size_t count) {
  aio::EventLoop& loop = aio::get_running_loop();
  std::size_t sum = 0;
  for (std::size_t left = count; left > 0;) {
    std::vector<plait::Future<int>> window;
    window.reserve(crossing_window);
    for (; left > 0 && window.size() < crossing_window; --left) {
      window.push_back(loop.run_in_executor(&pool, job));
    }
    for (const int result : co_await aio::gather(std::move(window))) {
      sum += static_cast<std::size_t>(result);
    }
  }
  require(sum == count, "plait: gathered jobs");
}

using Load = Coroutine<> (*)(plait::Executor& pool, std::size_t count);

double per_job(Load load, std::size_t count) {
  plait::ThreadPoolExecutor pool(crossing_workers);
  aio::EventLoop loop;
  loop.run_until_complete(load(pool, crossing_window));
  const double total = nanoseconds_of([&] { loop.run_until_complete(load(pool, count)); });
  return total / static_cast<double>(count);
}

Coroutine<int> one() { co_return 1; }

double calls(std::size_t count) {
  aio::EventLoop loop;
  std::thread thread([&loop] { loop.run_forever(); });
  const auto call = [&loop] { return aio::run_coroutine_threadsafe(one(), loop).result(); };
  for (std::size_t i = 0; i < crossing_window; ++i) call();
  std::size_t sum = 0;
  const double total = nanoseconds_of([&] {
    for (std::size_t i = 0; i < count; ++i) sum += static_cast<std::size_t>(call());
  });
  loop.call_soon_threadsafe([&loop] { loop.stop(); });
  thread.join();
  require(sum == count, "plait: calls");
  return total / static_cast<double>(count);
}

}  // namespace

CrossingContender plait_crossings() {
  return {.name = "plait",
          .await_jobs = [](std::size_t count) { return per_job(await_often, count); },
          .gather_jobs = [](std::size_t count) { return per_job(gather_often, count); },
          .calls = calls};
}

}  // namespace bench
