// CPython's test_queues. Left out: repr, format, the loop= argument.
#include <doctest/doctest.h>

#include <chrono>
#include <plait/aio.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/on_loop.hpp"

namespace plait::test {
namespace {

using aio::create_task;
using aio::Queue;
using aio::yield;
using Items = std::vector<int>;

TEST_SUITE_BEGIN("conformance/test_queues");

Coroutine<> put_all(Queue<int>& queue, Items items) {
  for (const int item : items) co_await queue.put(item);
}

Coroutine<> get_some(Queue<int>& queue, Items& got, int count) {
  while (count-- > 0) got.push_back(co_await queue.get());
}

// ---------------------------------------------------------------- basics

TEST_CASE(
    "empty: tells whether get_nowait would find nothing [cpython test_queues.Basic.test_empty]") {
  on_loop([]() -> Coroutine<> {
    Queue<int> queue;
    CHECK(queue.empty());
    co_await queue.put(1);
    CHECK_FALSE(queue.empty());
    CHECK(co_await queue.get() == 1);
    CHECK(queue.empty());
  });
}

TEST_CASE("full: is never true without a maxsize [cpython test_queues.Basic.test_full]") {
  Queue<int> unbounded;
  CHECK_FALSE(unbounded.full());
  unbounded.put_nowait(1);
  CHECK_FALSE(unbounded.full());
  Queue<int> bounded(1);
  CHECK_FALSE(bounded.full());
  bounded.put_nowait(1);
  CHECK(bounded.full());
}

template <class Q>
Items in_and_out() {
  Q queue;
  for (const int item : {1, 3, 2}) queue.put_nowait(item);
  Items out;
  while (!queue.empty()) out.push_back(queue.get_nowait());
  return out;
}

TEST_CASE("get: each kind of queue has its order [cpython test_queues.Basic.test_order]") {
  CHECK(in_and_out<Queue<int>>() == Items{1, 3, 2});
  CHECK(in_and_out<aio::LifoQueue<int>>() == Items{2, 3, 1});
  CHECK(in_and_out<aio::PriorityQueue<int>>() == Items{1, 2, 3});
}

TEST_CASE("put: waits while there are maxsize items [cpython test_queues.Basic.test_maxsize]") {
  on_loop([]() -> Coroutine<> {
    Queue<int> queue(2);
    CHECK(queue.maxsize() == 2);
    const auto putter = create_task(put_all(queue, {0, 1, 2}));
    co_await ticks(2);
    CHECK_FALSE(putter.done());
    CHECK(queue.qsize() == 2);
    CHECK(co_await queue.get() == 0);
    co_await yield();
    CHECK(putter.done());
    CHECK(co_await queue.get() == 1);
    CHECK(co_await queue.get() == 2);
  });
}

// ---------------------------------------------------------------- get

TEST_CASE(
    "get: takes what is there without letting others run [cpython "
    "test_queues.Get.test_blocking_get]") {
  on_loop([]() -> Coroutine<> {
    Queue<int> queue;
    queue.put_nowait(1);
    bool ran = false;
    aio::get_running_loop().call_soon([&] { ran = true; });
    CHECK(co_await queue.get() == 1);
    CHECK_FALSE(ran);
    CHECK_THROWS_AS(queue.get_nowait(), aio::QueueEmpty);
    co_await yield();
  });
}

TEST_CASE(
    "get: waits for an item that a timer puts [cpython test_queues.Get.test_blocking_get_wait]") {
  on_loop([]() -> Coroutine<> {
    auto& loop = aio::get_running_loop();
    Queue<int> queue;
    loop.call_later(std::chrono::milliseconds(10), [&] { queue.put_nowait(1); });
    const auto start = loop.time();
    CHECK(co_await queue.get() == 1);
    CHECK(loop.time() - start == std::chrono::milliseconds(10));
  });
}

TEST_CASE(
    "get: on a full queue wakes one who waits to put [cpython "
    "test_queues.Get.test_get_with_putters]") {
  on_loop([]() -> Coroutine<> {
    Queue<int> queue(1);
    queue.put_nowait(1);
    const auto p1 = create_task(queue.put(2));
    const auto p2 = create_task(queue.put(3));
    co_await yield();
    CHECK(co_await queue.get() == 1);
    co_await yield();
    CHECK((p1.done() && !p2.done()));
    CHECK(co_await queue.get() == 2);
    co_await p2;
  });
}

TEST_CASE(
    "put: passes by a getter that was cancelled [cpython "
    "test_queues.Get.test_get_cancelled_race]") {
  on_loop([]() -> Coroutine<> {
    Queue<std::string> queue;
    const auto t1 = create_task(queue.get());
    const auto t2 = create_task(queue.get());
    co_await yield();
    t1.cancel();
    co_await yield();
    CHECK(t1.done());
    co_await queue.put("a");
    CHECK(co_await t2 == "a");
  });
}

TEST_CASE(
    "get: waiting putters are served in order [cpython "
    "test_queues.Get.test_get_with_waiting_putters]") {
  on_loop([]() -> Coroutine<> {
    Queue<std::string> queue(1);
    const auto a = create_task(queue.put("a"));
    const auto b = create_task(queue.put("b"));
    co_await yield();
    CHECK(co_await queue.get() == "a");
    CHECK(co_await queue.get() == "b");
    co_await settle(a, b);
  });
}

TEST_CASE(
    "get: a producer and a consumer both come to their end [cpython "
    "test_queues.Get.test_why_are_getters_waiting]") {
  on_loop([]() -> Coroutine<> {
    Queue<int> queue(1);
    Items got;
    const auto producer = create_task(put_all(queue, {0, 1, 2, 3, 4}));
    const auto consumer = create_task(get_some(queue, got, 5));
    co_await producer;
    co_await consumer;
    CHECK(got == Items{0, 1, 2, 3, 4});
  });
}

TEST_CASE(
    "get: one that was cancelled holds nothing back [cpython "
    "test_queues.Get.test_cancelled_getters_not_being_held]") {
  on_loop([]() -> Coroutine<> {
    Queue<int> queue;
    for (int i = 0; i < 100; ++i) {
      const auto getter = create_task(queue.get());
      co_await yield();
      getter.cancel();
      co_await settle(getter);
      CHECK(getter.cancelled());
    }
    queue.put_nowait(1);
    CHECK(queue.qsize() == 1);
  });
}

// ---------------------------------------------------------------- put

TEST_CASE("put: without a maxsize never waits [cpython test_queues.Put.test_blocking_put]") {
  on_loop([]() -> Coroutine<> {
    Queue<int> unbounded;
    bool ran = false;
    aio::get_running_loop().call_soon([&] { ran = true; });
    for (int item = 0; item < 100; ++item) co_await unbounded.put(item);
    CHECK_FALSE(ran);
    Queue<int> bounded(1);
    bounded.put_nowait(1);
    CHECK_THROWS_AS(bounded.put_nowait(2), aio::QueueFull);
    co_await yield();
  });
}

TEST_CASE("put: waits until a get has made room [cpython test_queues.Put.test_blocking_put_wait]") {
  on_loop([]() -> Coroutine<> {
    Queue<int> queue(1);
    queue.put_nowait(1);
    aio::get_running_loop().call_later(std::chrono::milliseconds(10), [&] { queue.get_nowait(); });
    co_await queue.put(2);
    CHECK(queue.get_nowait() == 2);
  });
}

TEST_CASE(
    "put: a cancelled one has put nothing [cpython test_queues.Put.test_put_cancelled_race]") {
  on_loop([]() -> Coroutine<> {
    Queue<std::string> queue(1);
    const auto a = create_task(queue.put("a"));
    const auto b = create_task(queue.put("b"));
    const auto c = create_task(queue.put("c"));
    co_await yield();
    CHECK((a.done() && !b.done()));
    c.cancel();
    co_await yield();
    CHECK(c.done());
    CHECK(co_await queue.get() == "a");
    co_await yield();
    CHECK(co_await queue.get() == "b");
    co_await b;
    CHECK(queue.empty());
  });
}

TEST_CASE("put: serves a waiting getter [cpython test_queues.Put.test_put_with_waiting_getters]") {
  on_loop([]() -> Coroutine<> {
    Queue<std::string> queue;
    const auto getter = create_task(queue.get());
    co_await yield();
    co_await queue.put("a");
    CHECK(co_await getter == "a");
  });
}

TEST_CASE(
    "put: one that was cancelled holds nothing back [cpython "
    "test_queues.Put.test_cancelled_puts_not_being_held]") {
  on_loop([]() -> Coroutine<> {
    Queue<int> queue(1);
    queue.put_nowait(1);
    const auto putter = create_task(queue.put(2));
    co_await yield();
    putter.cancel();
    co_await settle(putter);
    CHECK(queue.get_nowait() == 1);
    CHECK_FALSE(queue.full());
    CHECK(queue.empty());
  });
}

TEST_CASE("put and get: who waits is served in order [derived.queue_putters_getters_fifo]") {
  on_loop([]() -> Coroutine<> {
    Queue<int> queue(1);
    queue.put_nowait(0);
    const auto p1 = create_task(queue.put(1));
    const auto p2 = create_task(queue.put(2));
    const auto p3 = create_task(queue.put(3));
    co_await yield();
    Items got;
    co_await get_some(queue, got, 4);
    CHECK(got == Items{0, 1, 2, 3});
    const auto g1 = create_task(queue.get());
    const auto g2 = create_task(queue.get());
    const auto g3 = create_task(queue.get());
    co_await yield();
    for (const int item : {7, 8, 9}) queue.put_nowait(item);
    CHECK(co_await g1 == 7);
    CHECK(co_await g2 == 8);
    CHECK(co_await g3 == 9);
  });
}

// ---------------------------------------------------------------- join

TEST_CASE(
    "task_done: more often than items came is an error [cpython "
    "test_queues.Join.test_task_done_underflow]") {
  Queue<int> queue;
  CHECK_THROWS_AS(queue.task_done(), std::invalid_argument);
}

Coroutine<> add_up(Queue<int>& queue, int& sum) {
  for (;;) {
    sum += co_await queue.get();
    queue.task_done();
  }
}

TEST_CASE("join: waits until all items are marked done [cpython test_queues.Join.test_task_done]") {
  on_loop([]() -> Coroutine<> {
    Queue<int> queue;
    for (int item = 0; item < 100; ++item) queue.put_nowait(item);
    int sum = 0;
    const auto w1 = create_task(add_up(queue, sum));
    const auto w2 = create_task(add_up(queue, sum));
    co_await queue.join();
    CHECK(sum == 99 * 100 / 2);
    w1.cancel();
    w2.cancel();
    co_await settle(w1, w2);
  });
}

TEST_CASE(
    "join: on a queue that nothing was put in returns at once [cpython "
    "test_queues.Join.test_join_empty_queue]") {
  on_loop([]() -> Coroutine<> {
    Queue<int> queue;
    co_await queue.join();
    co_await queue.join();
  });
}

TEST_CASE(
    "join: an item is not done when it was taken out [derived.queue_join_waits_for_task_done]") {
  on_loop([]() -> Coroutine<> {
    Queue<int> queue;
    queue.put_nowait(1);
    const auto join = create_task(queue.join());
    queue.get_nowait();
    co_await ticks(2);
    CHECK_FALSE(join.done());
    queue.task_done();
    co_await join;
  });
}

// ---------------------------------------------------------------- shutdown

Coroutine<> check_shut_down(Queue<int>& queue) {
  CHECK(co_await throws<aio::QueueShutDown>(queue.put(1)));
  CHECK(co_await throws<aio::QueueShutDown>(queue.get()));
  CHECK_THROWS_AS(queue.put_nowait(1), aio::QueueShutDown);
  CHECK_THROWS_AS(queue.get_nowait(), aio::QueueShutDown);
}

TEST_CASE(
    "shutdown: of an empty queue ends all waits [cpython "
    "test_queues.Shutdown.test_shutdown_empty]") {
  on_loop([]() -> Coroutine<> {
    Queue<int> queue;
    const auto getter = create_task(throws<aio::QueueShutDown>(queue.get()));
    co_await yield();
    queue.shutdown();
    co_await yield();
    CHECK(getter.done());
    CHECK(co_await getter);
    co_await queue.join();
    co_await check_shut_down(queue);
  });
}

TEST_CASE(
    "shutdown: immediately drops the items as done [cpython "
    "test_queues.Shutdown.test_shutdown_immediate]") {
  on_loop([]() -> Coroutine<> {
    Queue<int> queue;
    queue.put_nowait(1);
    const auto join = create_task(queue.join());
    co_await yield();
    queue.shutdown(true);
    CHECK(queue.qsize() == 0);
    co_await yield();
    CHECK(join.done());
    co_await check_shut_down(queue);
    CHECK_THROWS_AS(queue.task_done(), std::invalid_argument);
  });
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
