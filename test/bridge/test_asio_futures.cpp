// async_get: plait's futures in Asio's coroutines, callbacks and futures.
#include <doctest/doctest.h>

#include <exception>
#include <future>
#include <memory>
#include <plait/aio.hpp>
#include <plait/bridge/asio.hpp>
#include <plait/futures.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include "../support/asio_probe.hpp"
#include "../support/loop_probe.hpp"

namespace plait::test {
namespace {

namespace asio = boost::asio;
using aio::async_get;
using aio::use_coroutine;

TEST_SUITE_BEGIN("bridge/asio_futures");

// Runs an awaitable to its end in a context of its own.
template <class T>
T run(asio::awaitable<T> body) {
  asio::io_context context;
  auto result = asio::co_spawn(context, std::move(body), asio::use_future);
  context.run();
  return result.get();
}

template <class T>
asio::awaitable<T> await(Future<T> future) {
  co_return co_await async_get(std::move(future), asio::use_awaitable);
}

TEST_CASE("async_get: an awaitable gets the value of a pool's job, or its error") {
  ThreadPoolExecutor pool(1);
  CHECK(run(await(pool.submit([] { return std::string("value"); }))) == "value");
  CHECK_THROWS_AS(run(await(pool.submit([]() -> int { throw std::out_of_range("far"); }))),
                  std::out_of_range);
  run(await(pool.submit([] {})));
}

TEST_CASE("async_get: a future that is done already completes as if by post") {
  Promise<int> promise;
  promise.set_result(7);
  asio::io_context context;
  bool called = false;
  async_get(promise.get_future(),
            asio::bind_executor(context, [&](std::exception_ptr error, int value) {
              CHECK_FALSE(error);
              CHECK(value == 7);
              called = true;
            }));
  CHECK_FALSE(called);
  context.run();
  CHECK(called);
}

TEST_CASE("async_get: a result that can only be moved is moved out") {
  Promise<std::unique_ptr<int>> promise;
  promise.set_result(std::make_unique<int>(7));
  CHECK(*run(await(promise.get_future())) == 7);
}

TEST_CASE("async_get: the io_context's run() waits for the future") {
  Promise<int> promise;
  std::thread producer([&promise] { promise.set_result(7); });
  CHECK(run(await(promise.get_future())) == 7);
  producer.join();
}

TEST_CASE("async_get: use_future and deferred take it, too") {
  Promise<int> promise;
  asio::io_context context;
  auto later = async_get(promise.get_future(), asio::deferred);
  auto result = std::move(later)(asio::bind_executor(context, asio::use_future));
  promise.set_result(7);
  context.run();
  CHECK(result.get() == 7);
}

TEST_CASE("async_get: a cancelled future is a CancelledError") {
  Promise<int> promise;
  auto future = promise.get_future();
  future.cancel();
  CHECK_THROWS_AS(run(await(future)), CancelledError);
}

TEST_CASE("async_get: a handle without a future is refused at once") {
  CHECK_THROWS_AS((void)async_get(Future<int>(), asio::deferred), InvalidStateError);
}

TEST_CASE("async_get: an awaitable on the loop's own context waits for a task of the loop") {
  aio::EventLoop loop;
  const auto body = [](int n) -> Coroutine<int> {
    co_await aio::yield();
    co_return n;
  };
  const auto client = [](Coroutine<int> coroutine) -> asio::awaitable<int> {
    auto task = aio::create_task(std::move(coroutine));
    co_return co_await async_get(task, asio::use_awaitable);
  };
  CHECK(loop.run_until_complete(asio::co_spawn(loop.context(), client(body(7)), use_coroutine)) ==
        7);
}

TEST_CASE("async_get: an awaitable in another thread waits for a task of the loop") {
  aio::EventLoop loop;
  const RunningContext other;
  const auto body = []() -> Coroutine<int> {
    co_await aio::yield();
    co_return 7;
  };
  auto task = loop.create_task(body());
  auto result = asio::co_spawn(other.context, await<int>(task), asio::use_future);
  loop.run_until_complete(task);
  CHECK(result.get() == 7);
}

// ---------------------------------------------------------------- cancellation

struct Ending {
  std::exception_ptr error;
  bool called = false;
  bool cancelled() const {
    try {
      if (error) std::rethrow_exception(error);
    } catch (const CancelledError&) {
      return true;
    }
    return false;
  }
};

auto into(Ending& ending, asio::io_context& context, asio::cancellation_signal& signal) {
  return asio::bind_cancellation_slot(
      signal.slot(), asio::bind_executor(context, [&ending](std::exception_ptr error, int) {
        ending.error = std::move(error);
        ending.called = true;
      }));
}

TEST_CASE("async_get: the slot cancels what has not started") {
  Promise<int> promise;
  asio::io_context context;
  asio::cancellation_signal signal;
  Ending ending;
  async_get(promise.get_future(), into(ending, context, signal));
  signal.emit(asio::cancellation_type::terminal);
  context.run();
  CHECK(ending.cancelled());
  CHECK(promise.get_future().cancelled());
}

TEST_CASE("async_get: the slot asks running work to stop and does not wait for it") {
  Promise<int> promise;
  promise.set_running_or_notify_cancel();
  asio::io_context context;
  asio::cancellation_signal signal;
  Ending ending;
  async_get(promise.get_future(), into(ending, context, signal));
  signal.emit(asio::cancellation_type::terminal);
  context.run();
  CHECK(ending.cancelled());
  promise.set_result(7);
}

TEST_CASE("async_get: a cancellation that comes after the end changes nothing") {
  Promise<int> promise;
  asio::io_context context;
  asio::cancellation_signal signal;
  Ending ending;
  async_get(promise.get_future(), into(ending, context, signal));
  promise.set_result(7);
  signal.emit(asio::cancellation_type::terminal);
  context.run();
  signal.emit(asio::cancellation_type::terminal);
  CHECK(ending.called);
  CHECK_FALSE(ending.error);
}

TEST_CASE("async_get: the slot cancels a task of another thread's loop") {
  aio::EventLoop loop;
  asio::cancellation_signal signal;
  Ending ending;
  const RunningContext other;  // its thread ends before what it uses
  const auto wait = [](Future<int> f) -> Coroutine<int> { co_return co_await f; };
  auto never = loop.create_promise<int>();
  auto task = loop.create_task(wait(never.get_future()));
  run_briefly(loop);
  async_get<int>(task, into(ending, other.context, signal));
  asio::post(other.context, [&] { signal.emit(asio::cancellation_type::terminal); });
  loop.run_until_complete(settle(task));
  CHECK(task.cancelled());
}

// ---------------------------------------------------------------- who goes first

TEST_CASE("async_get: a context that ends first drops the handler; the future ends in peace") {
  Promise<int> promise;
  auto owned = std::make_shared<int>(1);
  {
    asio::io_context context;
    async_get(promise.get_future(),
              asio::bind_executor(context, [owned](std::exception_ptr, int) { FAIL("called"); }));
    CHECK(owned.use_count() == 2);
  }
  CHECK(owned.use_count() == 1);
  promise.set_result(7);
}

TEST_CASE("async_get: a context that ends between the future's end and the handler") {
  Promise<int> promise;
  auto owned = std::make_shared<int>(1);
  {
    asio::io_context context;
    async_get(promise.get_future(),
              asio::bind_executor(context, [owned](std::exception_ptr, int) { FAIL("called"); }));
    promise.set_result(7);
  }
  CHECK(owned.use_count() == 1);
}

TEST_CASE("async_get: races of the context's end and the future's") {
  for (int i = 0; i < 200; ++i) {
    Promise<int> promise;
    auto context = std::make_unique<asio::io_context>();
    async_get(promise.get_future(), asio::bind_executor(*context, [](std::exception_ptr, int) {}));
    std::thread producer([&promise] { promise.set_result(7); });
    context.reset();
    producer.join();
  }
}

TEST_CASE("async_get: many waits from many threads") {
  ThreadPoolExecutor pool(2);
  asio::thread_pool contexts(2);
  std::vector<std::future<int>> results;
  for (int i = 0; i < 500; ++i) {
    results.push_back(
        asio::co_spawn(contexts, await(pool.submit([i] { return i; })), asio::use_future));
  }
  int sum = 0;
  for (auto& result : results) sum += result.get();
  CHECK(sum == 499 * 500 / 2);
  contexts.join();
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
