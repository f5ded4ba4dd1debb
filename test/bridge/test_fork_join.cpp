// Tests of fork_join.
#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include <plait/bridge/fork_join.hpp>
#include <plait/core/cancelled_error.hpp>
#include <plait/core/context.hpp>
#include <plait/core/promise.hpp>
#include <plait/executors/inline_executor.hpp>
#include <plait/executors/thread_pool_executor.hpp>
#include <plait/loop/run.hpp>
#include <plait/loop/sleep.hpp>

using namespace plait;
using namespace std::chrono_literals;

namespace {

constexpr auto limit = 60s;

// Runs it on a loop and on every kind of executor.
template <class F, class Check>
void everywhere(F function, Check check) {
  check([&] { return aio::run(function()); });
  InlineExecutor inline_executor;
  check([&] { return inline_executor.submit(function).result(limit); });
  for (const std::size_t workers : {1, 2, 5}) {
    ThreadPoolExecutor pool(workers);
    check([&] { return pool.submit(function).result(limit); });
  }
}

Coroutine<int> fib(int n) {
  if (n < 2) co_return n;
  auto [a, b] = co_await aio::fork_join(fib(n - 1), fib(n - 2));
  co_return a + b;
}

Coroutine<long> leaves(int depth) {
  if (depth == 0) co_return 1;
  std::vector<Coroutine<long>> children;
  for (int i = 0; i < 5; ++i) children.push_back(leaves(depth - 1));
  long sum = 0;
  for (const long part : co_await aio::fork_join(std::move(children))) sum += part;
  co_return sum;
}

TEST_SUITE_BEGIN("bridge/fork_join");

TEST_CASE("fork_join: gives the results in the order of the arguments, everywhere") {
  everywhere([] { return fib(12); }, [](auto run) { CHECK(run() == 144); });
  everywhere([] { return leaves(4); }, [](auto run) { CHECK(run() == 625); });
}

Coroutine<std::unique_ptr<int>> boxed(int value) { co_return std::make_unique<int>(value); }
Coroutine<std::string> text() { co_return std::string(40, 'a'); }
Coroutine<> count_up(std::atomic<int>& counter) {
  ++counter;
  co_return;
}

Coroutine<int> of_many_types() {
  std::atomic<int> counter{0};
  auto [box, word, none] = co_await aio::fork_join(boxed(3), text(), count_up(counter));
  static_assert(std::same_as<decltype(none), std::monostate>);
  co_await aio::fork_join(count_up(counter));
  co_return *box + static_cast<int>(word.size()) + counter;
}

TEST_CASE("fork_join: takes coroutines of different types, move-only results and void") {
  everywhere(of_many_types, [](auto run) { CHECK(run() == 45); });
}

Coroutine<std::size_t> of_none() {
  const auto none = co_await aio::fork_join(std::vector<Coroutine<int>>());
  co_return none.size();
}

TEST_CASE("fork_join: of no coroutine ends at once") {
  everywhere(of_none, [](auto run) { CHECK(run() == 0); });
}

Coroutine<int> fail(const char* what) {
  throw std::runtime_error(what);
  co_return 0;
}

Coroutine<int> with_failures(std::shared_ptr<std::atomic<int>> ended) {
  const auto end_late = [](std::shared_ptr<std::atomic<int>> counter) -> Coroutine<int> {
    (void)co_await aio::fork_join(fib(8), fib(8));
    ++*counter;
    co_return 1;
  };
  (void)co_await aio::fork_join(end_late(ended), fail("first"), fail("second"), end_late(ended));
  co_return 0;
}

TEST_CASE("fork_join: throws the first error in the order of the arguments once all have ended") {
  auto ended = std::make_shared<std::atomic<int>>(0);
  everywhere([&] { return with_failures(ended); },
             [&](auto run) {
               *ended = 0;
               CHECK_THROWS_WITH_AS(run(), "first", std::runtime_error);
               CHECK(*ended == 2);
             });
}

Coroutine<int> wait_for(Future<int> future) { co_return co_await future; }

TEST_CASE("fork_join: children that wait for futures free their threads for the others") {
  for (const std::size_t workers : {1, 3}) {
    ThreadPoolExecutor pool(workers);
    std::vector<Promise<int>> promises(50);
    auto sum = pool.submit([&promises]() -> Coroutine<int> {
      std::vector<Coroutine<int>> children;
      for (auto& promise : promises) children.push_back(wait_for(promise.get_future()));
      int total = 0;
      for (const int part : co_await aio::fork_join(std::move(children))) total += part;
      co_return total;
    });
    for (std::size_t i = promises.size(); i > 0; --i) promises[i - 1].set_result(1);
    CHECK(sum.result(limit) == 50);
  }
}

Coroutine<> set(Promise<int> promise) {
  promise.set_result(5);
  co_return;
}

Coroutine<int> first_waits_for_last() {
  Promise<int> promise;
  auto [value, none] = co_await aio::fork_join(wait_for(promise.get_future()), set(promise));
  co_return value;
}

TEST_CASE("fork_join: a child may wait for what a later one does, on one thread, too") {
  everywhere(first_waits_for_last, [](auto run) { CHECK(run() == 5); });
}

Coroutine<long> endless(std::atomic<bool>& started, int depth) {
  started = true;
  for (;;) (void)co_await aio::fork_join(fib(depth), fib(depth));
}

TEST_CASE("fork_join: the only worker runs what the coroutine forks that it waits for") {
  ThreadPoolExecutor pool(1);
  auto outer = pool.submit([&] { return pool.submit(first_waits_for_last).result(limit); });
  CHECK(outer.result(limit) == 5);
  InlineExecutor executor;
  auto coroutine = executor.submit([&executor]() -> Coroutine<int> {
    co_return executor.submit(first_waits_for_last).result(limit);
  });
  CHECK(coroutine.result(limit) == 5);
}

Coroutine<int> one() { co_return 1; }
Coroutine<int> sum_of(int count, Future<int> future) {
  std::vector<Coroutine<int>> children;
  children.push_back(wait_for(std::move(future)));
  for (int i = 1; i < count; ++i) children.push_back(one());
  int sum = 0;
  for (const int part : co_await aio::fork_join(std::move(children))) sum += part;
  co_return sum;
}

TEST_CASE("fork_join: 200,000 children behind one that waits do not exhaust the stack") {
  Promise<int> promise;
  InlineExecutor executor;
  auto sum = executor.submit(sum_of, 200'000, promise.get_future());
  promise.set_result(1);
  CHECK(sum.result(limit) == 200'000);
}

// Its children end in two threads: the first waits until the second was stolen.
Coroutine<> until_stolen(std::atomic<bool>& stolen) {
  while (!stolen) std::this_thread::yield();
  co_return;
}
Coroutine<> steal_me(std::atomic<bool>& stolen, Future<> released) {
  stolen = true;
  released.result(limit);
  co_return;
}
Coroutine<> ends_elsewhere(std::atomic<bool>& stolen, Future<> released) {
  co_await aio::fork_join(until_stolen(stolen), steal_me(stolen, released));
}

Coroutine<int> sum_of_waits(std::size_t count, Future<int> future) {
  std::vector<Coroutine<int>> children;
  for (std::size_t i = 0; i < count; ++i) children.push_back(wait_for(future));
  int sum = 0;
  for (const int part : co_await aio::fork_join(std::move(children))) sum += part;
  co_return sum;
}

TEST_CASE("fork_join: 100,000 children that wait on an InlineExecutor do not exhaust the stack") {
  InlineExecutor executor;
  Promise<int> promise;
  auto sum = executor.submit(sum_of_waits, std::size_t{100'000}, promise.get_future());
  promise.set_result(1);
  CHECK(sum.result(limit) == 100'000);
}

TEST_CASE("shutdown: waits for the thread that a fork has started meanwhile, and its callbacks") {
  ThreadPoolExecutor pool(2);
  std::atomic<bool> stolen = false, other_ended = false, called = false;
  std::atomic<int> running = 0;
  Promise<> released;
  const auto both_run = [&] {
    for (++running; running < 2;) std::this_thread::yield();
  };
  auto other = pool.submit(both_run);
  auto forks = pool.submit([&] {
    both_run();
    while (!other_ended) std::this_thread::yield();
    return ends_elsewhere(stolen, released.get_future());
  });
  forks.add_done_callback([&](const auto&) {
    for (int i = 0; i < 1000; ++i) std::this_thread::yield();
    called = true;
  });
  std::thread releaser([&] {
    while (pool.num_threads() > 1) std::this_thread::yield();
    other_ended = true;
    while (!stolen) std::this_thread::yield();
    released.set_result();
  });
  pool.shutdown();
  CHECK(called);
  releaser.join();
}

TEST_CASE("request_stop: ends a tree of forks at its next fork") {
  ThreadPoolExecutor pool(3);
  std::atomic<bool> started{false};
  auto future = pool.submit(endless, std::ref(started), 10);
  while (!started) std::this_thread::yield();
  CHECK(future.request_stop());
  CHECK_THROWS_AS(future.result(limit), CancelledError);
}

Coroutine<int> count_and_wait_for(std::atomic<int>& begun, Future<int> future) {
  ++begun;
  co_return co_await future;
}

TEST_CASE("request_stop: all children that wait learn of it, and their parent can clean up") {
  ThreadPoolExecutor pool(2);
  std::vector<Promise<int>> never(10);
  Promise<int> after;
  std::atomic<int> begun{0};
  auto future = pool.submit(
      [&](Future<int> last) -> Coroutine<int> {
        std::vector<Coroutine<int>> children;
        for (auto& promise : never) {
          children.push_back(count_and_wait_for(begun, promise.get_future()));
        }
        bool cancelled = false;
        try {
          (void)co_await aio::fork_join(std::move(children));
        } catch (const CancelledError&) {
          cancelled = true;
        }
        co_return cancelled ? co_await last : -1;
      },
      after.get_future());
  while (begun < 10) std::this_thread::yield();
  CHECK(future.request_stop());
  after.set_result(8);
  CHECK(future.result(limit) == 8);
  for (auto& promise : never) CHECK(promise.get_future().done());
}

ContextVar<int> variable("variable");

Coroutine<int> change(int value) {
  const int inherited = variable.get(0);
  variable.set(value);
  (void)co_await aio::fork_join(fib(6), fib(6));
  co_return inherited * 100 + variable.get();
}

Coroutine<int> with_context() {
  variable.set(1);
  int sum = 0;
  for (int i = 0; i < 20; ++i) {
    auto [a, b] = co_await aio::fork_join(change(2), change(3));
    sum += (a == 102) + (b == 103) + (variable.get() == 1);
  }
  co_return sum;
}

TEST_CASE("fork_join: children inherit the context, and change only their own") {
  everywhere(with_context, [](auto run) { CHECK(run() == 60); });
}

Coroutine<int> deep(int depth) {
  if (depth == 0) co_return 0;
  auto [below] = co_await aio::fork_join(deep(depth - 1));
  co_return below + 1;
}

TEST_CASE("fork_join: 100,000 forks deep does not exhaust the stack") {
  ThreadPoolExecutor pool(2);
  CHECK(pool.submit(deep, 100'000).result(limit) == 100'000);
}

TEST_CASE("fork_join: 200 trees at once on few threads") {
  ThreadPoolExecutor pool(3);
  std::vector<Future<int>> results;
  for (int i = 0; i < 200; ++i) results.push_back(pool.submit(fib, 12));
  for (const auto& result : results) CHECK(result.result(limit) == 144);
}

TEST_SUITE_END();

}  // namespace
