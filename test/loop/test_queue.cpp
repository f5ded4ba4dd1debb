// Queues: races of a cancellation with a hand-over, shutdown in every state, unusual items, and
// queues and loops that go away.
#include <doctest/doctest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <plait/aio.hpp>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/lifetime_tracked.hpp"
#include "support/log_capture.hpp"
#include "support/on_loop.hpp"

namespace plait::test {
namespace {

using aio::create_task;
using aio::Queue;
using aio::QueueShutDown;
using aio::yield;

TEST_SUITE_BEGIN("loop/queue");

// ---------------------------------------------------------------- cancelled after the wake-up

TEST_CASE("get: an item goes to the next when its task is cancelled before it resumes") {
  on_loop([]() -> Coroutine<> {
    Queue<int> queue;
    const auto g1 = create_task(queue.get());
    const auto g2 = create_task(queue.get());
    co_await yield();
    queue.put_nowait(7);
    CHECK(queue.qsize() == 0);
    g1.cancel();
    co_await settle(g1, g2);
    CHECK(g1.cancelled());
    CHECK(g2.result() == 7);
  });
}

TEST_CASE("get: an item is back in its place when its task is cancelled before it resumes") {
  on_loop([]() -> Coroutine<> {
    Queue<int> queue(1);
    const auto getter = create_task(queue.get());
    co_await yield();
    queue.put_nowait(1);
    queue.put_nowait(2);
    getter.cancel();
    co_await settle(getter);
    CHECK(getter.cancelled());
    CHECK(queue.qsize() == 2);
    CHECK(queue.full());
    CHECK(queue.get_nowait() == 1);
    CHECK(queue.full());
    CHECK(queue.get_nowait() == 2);
  });
}

TEST_CASE(
    "put: nothing is put and the place goes on when its task is cancelled before it resumes") {
  on_loop([]() -> Coroutine<> {
    Queue<int> queue(1);
    queue.put_nowait(0);
    const auto p1 = create_task(queue.put(1));
    const auto p2 = create_task(queue.put(2));
    co_await yield();
    CHECK(queue.get_nowait() == 0);
    CHECK_THROWS_AS(queue.put_nowait(3), aio::QueueFull);
    p1.cancel();
    co_await settle(p1, p2);
    CHECK(p1.cancelled());
    CHECK(queue.get_nowait() == 2);
    CHECK(queue.empty());
  });
}

TEST_CASE("get: who asks meanwhile takes the older item, and each gets one") {
  on_loop([]() -> Coroutine<> {
    Queue<int> queue;
    const auto waiting = create_task(queue.get());
    co_await yield();
    queue.put_nowait(1);
    CHECK_THROWS_AS(queue.get_nowait(), aio::QueueEmpty);
    queue.put_nowait(2);
    CHECK(queue.qsize() == 1);
    CHECK(queue.get_nowait() == 1);
    CHECK(co_await waiting == 2);
  });
}

Coroutine<> produce(Queue<int>& queue, int from, int count, std::vector<int>& sent) {
  for (int item = from; item < from + count; ++item) {
    co_await queue.put(item);
    sent.push_back(item);
  }
}

Coroutine<> consume(Queue<int>& queue, std::vector<int>& got) {
  for (;;) got.push_back(co_await queue.get());
}

// Starts producers and consumers and cancels them as `random` says; what was put and not got is in
// the queue.
Coroutine<> storm(std::uint32_t seed) {
  std::mt19937 random(seed);
  Queue<int> queue(1 + random() % 3);
  std::vector<int> sent, got;
  std::vector<aio::Task<>> tasks;
  for (int round = 0; round < 200; ++round) {
    const bool producer = random() % 2 == 0;
    tasks.push_back(
        create_task(producer ? produce(queue, round * 100, 5, sent) : consume(queue, got)));
    co_await ticks(static_cast<int>(random() % 3));
    tasks[random() % tasks.size()].cancel();
    if (!queue.full() && random() % 4 == 0) {
      queue.put_nowait(-round);
      sent.push_back(-round);
    }
    if (!queue.empty() && random() % 4 == 0) got.push_back(queue.get_nowait());
    tasks[random() % tasks.size()].cancel();
  }
  for (const auto& task : tasks) task.cancel();
  for (const auto& task : tasks) co_await settle(task);
  while (!queue.empty()) got.push_back(queue.get_nowait());
  std::ranges::sort(sent);
  std::ranges::sort(got);
  CHECK(sent == got);
}

TEST_CASE("put and get: under random cancellation no item is lost or doubled") {
  for (std::uint32_t seed = 0; seed < 50; ++seed) {
    CAPTURE(seed);
    on_loop([seed] { return storm(seed); });
  }
}

// ---------------------------------------------------------------- shutdown

TEST_CASE("shutdown: lets get() have what is left, and ends those who wait to put") {
  on_loop([]() -> Coroutine<> {
    Queue<int> queue(1);
    queue.put_nowait(1);
    const auto putter = create_task(throws<QueueShutDown>(queue.put(2)));
    co_await yield();
    queue.shutdown();
    queue.shutdown();
    CHECK(co_await putter);
    CHECK(co_await queue.get() == 1);
    CHECK(co_await throws<QueueShutDown>(queue.get()));
    queue.task_done();
    co_await queue.join();
  });
}

TEST_CASE("shutdown: a putter that was just woken puts nothing") {
  on_loop([]() -> Coroutine<> {
    Queue<int> queue(1);
    queue.put_nowait(1);
    const auto putter = create_task(throws<QueueShutDown>(queue.put(2)));
    co_await yield();
    CHECK(queue.get_nowait() == 1);
    queue.shutdown();
    CHECK(co_await putter);
    CHECK(queue.empty());
  });
}

TEST_CASE("shutdown: a getter that was just woken has its item, unless at once") {
  on_loop([]() -> Coroutine<> {
    Queue<int> gentle, immediate;
    const auto g1 = create_task(gentle.get());
    const auto g2 = create_task(throws<QueueShutDown>(immediate.get()));
    co_await yield();
    gentle.put_nowait(1);
    immediate.put_nowait(2);
    gentle.shutdown();
    immediate.shutdown(true);
    CHECK(co_await g1 == 1);
    CHECK(co_await g2);
    co_await immediate.join();
  });
}

TEST_CASE("shutdown: at once, join() still waits for items that were taken out") {
  on_loop([]() -> Coroutine<> {
    Queue<int> queue;
    queue.put_nowait(1);
    queue.put_nowait(2);
    queue.get_nowait();
    queue.shutdown(true);
    const auto join = create_task(queue.join());
    co_await ticks(2);
    CHECK_FALSE(join.done());
    queue.task_done();
    co_await join;
  });
}

// ---------------------------------------------------------------- items

TEST_CASE("put and get: items need not be copyable") {
  on_loop([]() -> Coroutine<> {
    Queue<std::unique_ptr<int>> queue(1);
    const auto producer = create_task(queue.put(std::make_unique<int>(1)));
    co_await yield();
    const auto waiting = create_task(queue.put(std::make_unique<int>(2)));
    co_await yield();
    CHECK(*co_await queue.get() == 1);
    CHECK(*co_await queue.get() == 2);
    auto getter = create_task(queue.get());
    co_await yield();
    queue.put_nowait(std::make_unique<int>(3));
    CHECK(*co_await std::move(getter) == 3);
    aio::LifoQueue<std::unique_ptr<int>> lifo;
    lifo.put_nowait(std::make_unique<int>(4));
    CHECK(*lifo.get_nowait() == 4);
  });
}

struct alignas(64) Aligned {
  explicit Aligned(int value) : number(value) {}
  bool aligned() const { return reinterpret_cast<std::uintptr_t>(this) % alignof(Aligned) == 0; }
  int number;
};

TEST_CASE("put: an over-aligned item waits in memory that is aligned for it") {
  on_loop([]() -> Coroutine<> {
    Queue<Aligned> queue(1);
    // Not awaited here: GCC does not align what a coroutine's frame holds.
    const auto p1 = create_task(queue.put(Aligned(1)));
    const auto p2 = create_task(queue.put(Aligned(2)));
    co_await yield();
    const auto take = [&] {
      const Aligned item = queue.get_nowait();
      CHECK(item.aligned());
      return item.number;
    };
    CHECK(take() == 1);
    co_await p2;
    CHECK(take() == 2);
  });
}

TEST_CASE("PriorityQueue: Less says what comes first") {
  aio::PriorityQueue<std::string, std::greater<>> queue;
  for (const char* item : {"b", "c", "a"}) queue.put_nowait(item);
  CHECK(queue.get_nowait() == "c");
  CHECK(queue.get_nowait() == "b");
  CHECK(queue.get_nowait() == "a");
}

TEST_CASE("PriorityQueue: a task that waited gets the smallest that is there when it resumes") {
  on_loop([]() -> Coroutine<> {
    aio::PriorityQueue<int> queue;
    const auto getter = create_task(queue.get());
    co_await yield();
    queue.put_nowait(2);
    queue.put_nowait(1);
    CHECK(co_await getter == 1);
    CHECK(queue.get_nowait() == 2);
  });
}

struct Fragile {
  explicit Fragile(bool& break_now) : broken(&break_now) {}
  Fragile(Fragile&& other) : broken(other.broken) {
    if (*broken) throw std::runtime_error("cannot be moved");
  }
  bool* broken;
};

TEST_CASE("get and put: an item whose move throws fails the one call that moved it") {
  on_loop([]() -> Coroutine<> {
    bool broken = false;
    Queue<Fragile> queue(1);
    const auto getter = create_task(throws<std::runtime_error>(queue.get()));
    co_await yield();
    queue.put_nowait(Fragile(broken));
    broken = true;
    CHECK(co_await getter);
    CHECK(queue.qsize() == 1);
    broken = false;
    const auto putter = create_task(throws<std::runtime_error>(queue.put(Fragile(broken))));
    co_await yield();
    queue.get_nowait();
    broken = true;
    CHECK(co_await putter);
    CHECK(queue.empty());
    CHECK_FALSE(queue.full());
  });
}

TEST_CASE("destructor: destroys the items that are left") {
  LifetimeCounts counts;
  {
    Queue<LifetimeTracked> queue;
    for (int i = 0; i < 3; ++i) queue.put_nowait(LifetimeTracked(counts));
    {
      const auto taken = queue.get_nowait();
    }
    CHECK(counts.live == 2);
    CHECK(counts.copies == 0);
  }
  CHECK(counts.live == 0);
}

// ---------------------------------------------------------------- what goes away

TEST_CASE("destructor: who waits gets RuntimeError") {
  on_loop([]() -> Coroutine<> {
    auto empty = std::make_unique<Queue<int>>();
    auto full = std::make_unique<Queue<int>>(1);
    full->put_nowait(0);
    const auto t1 = create_task(throws<RuntimeError>(empty->get()));
    const auto t2 = create_task(throws<RuntimeError>(empty->get()));
    const auto t3 = create_task(throws<RuntimeError>(full->put(1)));
    const auto t4 = create_task(throws<RuntimeError>(full->join()));
    co_await yield();
    empty->put_nowait(1);
    empty.reset();
    full.reset();
    CHECK((co_await t1 && co_await t2 && co_await t3 && co_await t4));
  });
}

TEST_CASE("close: an item that a woken task has not taken is still there") {
  const LogCapture log;  // of tasks destroyed while pending
  Queue<int> queue(1);
  {
    aio::EventLoop loop;
    const auto main = [&]() -> Coroutine<> {
      for (int i = 0; i < 3; ++i) create_task(queue.get());
      co_await ticks(2);
    };
    loop.run_until_complete(main());
    queue.put_nowait(1);
    CHECK(queue.empty());
    loop.close();
  }
  CHECK(queue.qsize() == 1);
  CHECK(queue.get_nowait() == 1);
}

TEST_CASE("close: what waits to be put is destroyed with its task") {
  const LogCapture log;
  LifetimeCounts counts;
  Queue<LifetimeTracked> queue(1);
  {
    aio::EventLoop loop;
    const auto main = [&]() -> Coroutine<> {
      for (int i = 0; i < 3; ++i) create_task(queue.put(LifetimeTracked(counts)));
      co_await ticks(2);
    };
    loop.run_until_complete(main());
    {
      const auto taken = queue.get_nowait();
    }
    CHECK(counts.live == 2);
    loop.close();
  }
  CHECK(counts.live == 0);
  CHECK(queue.empty());
  CHECK_FALSE(queue.full());
}

TEST_CASE("get: a queue in which one loop's tasks have waited is refused to another's") {
  Queue<int> queue;
  const auto wait_once = [&]() -> Coroutine<> {
    aio::get_running_loop().call_soon([&] { queue.put_nowait(1); });
    co_await queue.get();
  };
  aio::EventLoop first, second;
  first.run_until_complete(wait_once());
  const auto text = text_of<RuntimeError>([&] { second.run_until_complete(wait_once()); });
  CHECK(holds(text, "Queue is bound to a different event loop"));
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
