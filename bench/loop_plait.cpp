// Contender: plait's event loop.
#include <plait/aio.hpp>

#include <thread>
#include <utility>
#include <vector>

#include "harness.hpp"
#include "loop_contender.hpp"

namespace bench {
namespace {

namespace aio = plait::aio;
using plait::Coroutine;

double per_unit(std::size_t count, Coroutine<> load) {
  aio::EventLoop loop;
  const double total = nanoseconds_of([&] { loop.run_until_complete(std::move(load)); });
  return total / static_cast<double>(count);
}

Coroutine<> yield_often(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) co_await aio::yield();
}

Coroutine<int> one() { co_return 1; }

Coroutine<> await_often(std::size_t count) {
  std::size_t sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += static_cast<std::size_t>(co_await one());
  require(sum == count, "plait: awaits");
}

Coroutine<> spawn_and_gather(std::size_t count) {
  std::vector<aio::Task<int>> tasks;
  tasks.reserve(count);
  for (std::size_t i = 0; i < count; ++i) tasks.push_back(aio::create_task(one()));
  std::size_t sum = 0;
  for (const int value : co_await aio::gather(std::move(tasks))) {
    sum += static_cast<std::size_t>(value);
  }
  require(sum == count, "plait: spawns");
}

Coroutine<> start_and_cancel(std::size_t count) {
  auto& loop = aio::get_running_loop();
  std::vector<aio::TimerHandle> timers;
  timers.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    timers.push_back(loop.call_later(std::chrono::seconds(60), [] {}));
  }
  for (auto& timer : timers) timer.cancel();
  co_return;
}

Coroutine<> start_and_expire(std::size_t count) {
  auto& loop = aio::get_running_loop();
  std::size_t expired = 0;
  for (std::size_t i = 0; i < count; ++i) {
    loop.call_later(std::chrono::milliseconds(1), [&expired] { ++expired; });
  }
  while (expired < count) co_await aio::yield();
}

double posts(std::size_t count) {
  aio::EventLoop loop;
  std::size_t received = 0;
  const double total = nanoseconds_of([&] {
    std::thread poster([&] {
      for (std::size_t i = 0; i < count; ++i) {
        loop.call_soon_threadsafe([&] {
          if (++received == count) loop.stop();
        });
      }
    });
    loop.run_forever();
    poster.join();
  });
  require(received == count, "plait: posts");
  return total / static_cast<double>(count);
}

Coroutine<> produce(aio::Queue<int>& queue, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) co_await queue.put(1);
}

Coroutine<> consume(std::size_t count) {
  aio::Queue<int> queue(100);
  auto producer = aio::create_task(produce(queue, count));
  std::size_t sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += static_cast<std::size_t>(co_await queue.get());
  require(sum == count, "plait: queue");
  co_await producer;
}

Coroutine<> sleep_once() { co_await aio::sleep(std::chrono::seconds(1)); }

Coroutine<> sleep_all(SleepLoad load, double& bytes) {
  const double before = load.resident_bytes();
  std::vector<aio::Task<>> tasks;
  tasks.reserve(load.tasks);
  for (std::size_t i = 0; i < load.tasks; ++i) tasks.push_back(aio::create_task(sleep_once()));
  co_await aio::yield();
  bytes = (load.resident_bytes() - before) / static_cast<double>(load.tasks);
  for (const auto& task : tasks) co_await task;
}

}  // namespace

LoopContender plait_loop() {
  return {.name = "plait",
          .yields = [](std::size_t n) { return per_unit(n, yield_often(n)); },
          .awaits = [](std::size_t n) { return per_unit(n, await_often(n)); },
          .spawns = [](std::size_t n) { return per_unit(n, spawn_and_gather(n)); },
          .timers_cancelled = [](std::size_t n) { return per_unit(n, start_and_cancel(n)); },
          .timers_expired = [](std::size_t n) { return per_unit(n, start_and_expire(n)); },
          .posts = posts,
          .queue_items = [](std::size_t n) { return per_unit(n, consume(n)); }};
}

SleepCost plait_sleepers(const SleepLoad& load) {
  SleepCost cost{};
  aio::EventLoop loop;
  const double total =
      nanoseconds_of([&] { loop.run_until_complete(sleep_all(load, cost.bytes_per_task)); });
  cost.seconds = total / 1e9 - 1;
  return cost;
}

}  // namespace bench
