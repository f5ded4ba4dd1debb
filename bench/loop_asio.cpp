// Contender: Boost.Asio's io_context, with its own coroutines, timers and channels.
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <deque>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "harness.hpp"
#include "loop_contender.hpp"

namespace bench {
namespace {

namespace asio = boost::asio;
using asio::awaitable;
using asio::use_awaitable;
using Timer = asio::steady_timer;

double per_unit(std::size_t count, awaitable<void> load) {
  asio::io_context context(1);
  asio::co_spawn(context, std::move(load), asio::detached);
  return nanoseconds_of([&] { context.run(); }) / static_cast<double>(count);
}

awaitable<void> yield_often(std::size_t count) {
  const auto executor = co_await asio::this_coro::executor;
  for (std::size_t i = 0; i < count; ++i) co_await asio::post(executor, use_awaitable);
}

awaitable<int> one() { co_return 1; }

awaitable<void> await_often(std::size_t count) {
  std::size_t sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += static_cast<std::size_t>(co_await one());
  require(sum == count, "Asio: awaits");
}

double spawns(std::size_t count) {
  asio::io_context context(1);
  std::size_t sum = 0;
  const double total = nanoseconds_of([&] {
    for (std::size_t i = 0; i < count; ++i) {
      asio::co_spawn(context, one(), [&sum](const std::exception_ptr&, int value) {
        sum += static_cast<std::size_t>(value);
      });
    }
    context.run();
  });
  require(sum == count, "Asio: spawns");
  return total / static_cast<double>(count);
}

double timers(std::size_t count, std::chrono::milliseconds delay, bool cancel) {
  asio::io_context context(1);
  std::size_t ended = 0;
  std::deque<Timer> all;
  const double total = nanoseconds_of([&] {
    for (std::size_t i = 0; i < count; ++i) {
      all.emplace_back(context, delay).async_wait([&ended](const auto&) { ++ended; });
    }
    if (cancel) {
      for (Timer& timer : all) timer.cancel();
    }
    context.run();
  });
  require(ended == count, "Asio: timers");
  return total / static_cast<double>(count);
}

double posts(std::size_t count) {
  asio::io_context context(1);
  auto work = asio::make_work_guard(context);
  std::size_t received = 0;
  const double total = nanoseconds_of([&] {
    std::thread poster([&] {
      for (std::size_t i = 0; i < count; ++i) {
        asio::post(context, [&] {
          if (++received == count) work.reset();
        });
      }
    });
    context.run();
    poster.join();
  });
  require(received == count, "Asio: posts");
  return total / static_cast<double>(count);
}

using Channel = asio::experimental::channel<void(boost::system::error_code, int)>;

awaitable<void> produce(Channel& channel, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    co_await channel.async_send(boost::system::error_code(), 1, use_awaitable);
  }
}

awaitable<void> consume(std::size_t count) {
  const auto executor = co_await asio::this_coro::executor;
  Channel channel(executor, 100);
  asio::co_spawn(executor, produce(channel, count), asio::detached);
  std::size_t sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    sum += static_cast<std::size_t>(co_await channel.async_receive(use_awaitable));
  }
  require(sum == count, "Asio: channel");
}

awaitable<void> sleep_once() {
  Timer timer(co_await asio::this_coro::executor, std::chrono::seconds(1));
  co_await timer.async_wait(use_awaitable);
}

}  // namespace

LoopContender asio_loop() {
  using std::chrono::milliseconds;
  return {.name = "Boost.Asio",
          .yields = [](std::size_t n) { return per_unit(n, yield_often(n)); },
          .awaits = [](std::size_t n) { return per_unit(n, await_often(n)); },
          .spawns = spawns,
          .timers_cancelled = [](std::size_t n) { return timers(n, milliseconds(60'000), true); },
          .timers_expired = [](std::size_t n) { return timers(n, milliseconds(1), false); },
          .posts = posts,
          .queue_items = [](std::size_t n) { return per_unit(n, consume(n)); }};
}

SleepCost asio_sleepers(const SleepLoad& load) {
  SleepCost cost{};
  asio::io_context context(1);
  const double total = nanoseconds_of([&] {
    const double before = load.resident_bytes();
    for (std::size_t i = 0; i < load.tasks; ++i) {
      asio::co_spawn(context, sleep_once(), asio::detached);
    }
    asio::post(context, [&] {
      cost.bytes_per_task = (load.resident_bytes() - before) / static_cast<double>(load.tasks);
    });
    context.run();
  });
  cost.seconds = total / 1e9 - 1;
  return cost;
}

}  // namespace bench
