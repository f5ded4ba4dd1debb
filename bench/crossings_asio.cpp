// Contender of crossings: Boost.Asio. A job is posted to the pool and its result posted back, as
// one operation.
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include <algorithm>
#include <memory>
#include <thread>
#include <utility>

#include "crossing_contender.hpp"
#include "harness.hpp"

namespace bench {
namespace {

namespace asio = boost::asio;
using asio::awaitable;
using asio::use_awaitable;

// Runs `job` in the pool; completes with its result on the executor of whoever waits.
template <class Job, class Token>
auto async_run(asio::thread_pool& pool, Job job, Token&& token) {
  return asio::async_initiate<Token, void(int)>(
      [&pool](auto handler, Job work) {
        const auto home = asio::get_associated_executor(handler);
        asio::post(pool, [handler = std::move(handler), home, work]() mutable {
          asio::post(home, [handler = std::move(handler), result = work()]() mutable {
            std::move(handler)(result);
          });
        });
      },
      token, job);
}

// As many jobs at once; completes with the sum of their results when the last one has come back.
template <class Job, class Token>
auto async_run_many(asio::thread_pool& pool, asio::io_context::executor_type home,
                    std::size_t count, Job job, Token&& token) {
  return asio::async_initiate<Token, void(int)>(
      [&pool, home, count](auto handler, Job work) {
        struct Gathered {
          decltype(handler) whole;
          std::size_t left;
          int sum = 0;
        };
        auto gathered = std::make_shared<Gathered>(Gathered{std::move(handler), count});
        for (std::size_t i = 0; i < count; ++i) {
          async_run(pool, work, asio::bind_executor(home, [gathered](int result) {
                      gathered->sum += result;
                      if (--gathered->left == 0) std::move(gathered->whole)(gathered->sum);
                    }));
        }
      },
      token, job);
}

awaitable<void> await_often(asio::thread_pool& pool, asio::io_context&, std::size_t count) {
  std::size_t sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    sum += static_cast<std::size_t>(co_await async_run(pool, [] { return 1; }, use_awaitable));
  }
  require(sum == count, "Asio: awaited jobs");
}

awaitable<void> gather_often(asio::thread_pool& pool, asio::io_context& home, std::size_t count) {
  std::size_t sum = 0;
  for (std::size_t left = count; left > 0;) {
    const std::size_t window = std::min(left, crossing_window);
    sum += static_cast<std::size_t>(co_await async_run_many(
        pool, home.get_executor(), window, [] { return 1; }, use_awaitable));
    left -= window;
  }
  require(sum == count, "Asio: gathered jobs");
}

using Load = awaitable<void> (*)(asio::thread_pool& pool, asio::io_context& home,
                                 std::size_t count);

double per_job(Load load, std::size_t count) {
  asio::thread_pool pool(crossing_workers);
  asio::io_context context(1);
  asio::co_spawn(context, load(pool, context, crossing_window), asio::detached);
  context.run();
  context.restart();
  asio::co_spawn(context, load(pool, context, count), asio::detached);
  return nanoseconds_of([&] { context.run(); }) / static_cast<double>(count);
}

awaitable<int> one() { co_return 1; }

double calls(std::size_t count) {
  asio::io_context context;  // no hint of one thread: others post to it
  auto work = asio::make_work_guard(context);
  std::thread thread([&context] { context.run(); });
  const auto call = [&context] { return asio::co_spawn(context, one(), asio::use_future).get(); };
  for (std::size_t i = 0; i < crossing_window; ++i) call();
  std::size_t sum = 0;
  const double total = nanoseconds_of([&] {
    for (std::size_t i = 0; i < count; ++i) sum += static_cast<std::size_t>(call());
  });
  work.reset();
  thread.join();
  require(sum == count, "Asio: calls");
  return total / static_cast<double>(count);
}

}  // namespace

CrossingContender asio_crossings() {
  return {.name = "Boost.Asio",
          .await_jobs = [](std::size_t count) { return per_job(await_often, count); },
          .gather_jobs = [](std::size_t count) { return per_job(gather_often, count); },
          .calls = calls};
}

}  // namespace bench
