// Boost.Thread's futures in and out of plait.
#include <doctest/doctest.h>

#include <memory>
#include <plait/aio.hpp>
#include <plait/bridge/boost_future.hpp>
#include <plait/futures.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "../support/loop_probe.hpp"
#include "../support/on_loop.hpp"
#include "../support/process_probe.hpp"

namespace plait::test {
namespace {

TEST_SUITE_BEGIN("bridge/boost_future");

TEST_CASE("wrap_future: awaits a boost::future that a thread sets") {
  const auto threads = thread_count();
  on_loop([]() -> Coroutine<> {
    boost::promise<int> promise;
    auto wrapper = aio::wrap_future(promise.get_future());
    CHECK_FALSE(wrapper.done());
    std::thread([&] { promise.set_value(3); }).join();
    CHECK(co_await std::move(wrapper) == 3);
    boost::promise<void> shared;
    auto second = aio::wrap_future(boost::shared_future<void>(shared.get_future()));
    std::thread([&] { shared.set_value(); }).join();
    co_await std::move(second);
  });
  CHECK(eventually([&] { return thread_count() == threads; }));
}

TEST_CASE("wrap_future: a boost::future that is ready needs no thread") {
  const auto threads = thread_count();
  on_loop([threads]() -> Coroutine<> {
    boost::promise<std::string> good;
    good.set_value("g");
    CHECK(aio::wrap_future(good.get_future()).result() == "g");
    boost::promise<int> bad;
    bad.set_exception(boost::copy_exception(std::domain_error("bad")));
    CHECK_THROWS_AS(aio::wrap_future(bad.get_future()).result(), std::domain_error);
    CHECK(thread_count() == threads);
    co_return;
  });
}

TEST_CASE("wrap_future: needs a running loop and a boost::future with a state") {
  boost::promise<int> promise;
  CHECK_THROWS_AS(aio::wrap_future(promise.get_future()), RuntimeError);
  on_loop([]() -> Coroutine<> {
    CHECK_THROWS_AS(aio::wrap_future(boost::shared_future<int>()), InvalidStateError);
    co_return;
  });
}

TEST_CASE("to_boost_future: gives value, error and cancellation, with their types") {
  ThreadPoolExecutor pool(1);
  CHECK(aio::to_boost_future(pool.submit([] { return std::string("v"); })).get() == "v");
  const auto fail = [] { throw WorkerDied("mine", 1, 2, 3); };
  CHECK_THROWS_AS(aio::to_boost_future(pool.submit(fail)).get(), WorkerDied);
  const Promise<> promise;
  auto cancelled = aio::to_boost_future(promise.get_future());
  CHECK_FALSE(cancelled.is_ready());
  promise.get_future().cancel();
  CHECK_THROWS_AS(cancelled.get(), CancelledError);
  CHECK_THROWS_AS(aio::to_boost_future(Future<int>()), InvalidStateError);
}

TEST_CASE("to_boost_future: moves what can only be moved") {
  ThreadPoolExecutor pool(1);
  CHECK(*aio::to_boost_future(pool.submit([] { return std::make_unique<int>(2); })).get() == 2);
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
