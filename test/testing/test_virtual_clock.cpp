// What tests use to move a loop's time on.
#include <doctest/doctest.h>

#include <plait/aio.hpp>
#include <plait/testing/virtual_clock.hpp>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "../support/log_capture.hpp"

namespace plait::test {
namespace {

using namespace std::chrono_literals;
using testing::VirtualLoop;

Coroutine<int> count_seconds(int seconds, int& count) {
  while (count < seconds) {
    co_await aio::sleep(1s);
    ++count;
  }
  co_return count;
}

TEST_SUITE_BEGIN("testing/virtual_clock");

TEST_CASE("VirtualLoop: time passes only where the test says so") {
  //! [virtual_loop]
  VirtualLoop loop;
  int count = 0;
  auto task = loop.start(count_seconds(3, count));
  CHECK(count == 0);
  loop.advance(1s);
  CHECK(count == 1);
  loop.advance(1999ms);
  CHECK(count == 2);
  CHECK_FALSE(task.done());
  loop.advance(1ms);
  CHECK(task.result() == 3);
  CHECK(loop.elapsed() == 3s);
  //! [virtual_loop]
}

TEST_CASE("settle: runs what is ready, and what that makes ready, but no timer") {
  VirtualLoop loop;
  std::string order;
  loop.loop().call_later(1ns, [&] { order += "timer"; });
  loop.loop().call_later(0ns, [&] { order += "due "; });
  loop.loop().call_soon([&] {
    order += "first ";
    loop.loop().call_soon([&] { order += "second "; });
  });
  loop.settle();
  CHECK(order == "first due second ");
  CHECK(loop.elapsed() == 0s);
}

TEST_CASE("settle: in a coroutine it waits until the others have nothing to do") {
  auto chain = [](int steps, int& done) -> Coroutine<> {
    for (; done < steps; ++done) co_await aio::yield();
    co_await aio::sleep(1h);
  };
  auto main = [chain](int& done) -> Coroutine<> {
    auto task = aio::create_task(chain(17, done));
    co_await testing::settle();
    CHECK(done == 17);
    CHECK_FALSE(task.done());
  };
  int done = 0;
  LogCapture log;  // the chain is destroyed with the loop
  VirtualLoop loop;
  loop.run(main(done));
  CHECK(loop.elapsed() == 0s);
}

TEST_CASE("settle: what makes itself ready for ever is an error") {
  auto busy = []() -> Coroutine<> {
    for (;;) co_await aio::yield();
  };
  LogCapture log;  // as above
  VirtualLoop loop;
  auto task = loop.loop().create_task(busy());
  CHECK(holds(text_of<RuntimeError>([&] { loop.settle(); }), "still ready"));
}

TEST_CASE("advance: timers due meanwhile run at their own time, in their order") {
  VirtualLoop loop;
  std::vector<Duration> seen;
  for (const auto delay : {3s, 1s, 2s, 4s}) {
    loop.loop().call_later(delay, [&] { seen.push_back(loop.elapsed()); });
  }
  loop.advance(3s);
  CHECK(seen == std::vector<Duration>{1s, 2s, 3s});
  loop.advance(1h);
  CHECK(seen.back() == 4s);
  CHECK(loop.elapsed() == 1h + 3s);
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
