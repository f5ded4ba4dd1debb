// Sequencer: the order holds, and what is missing is told.
#include <doctest/doctest.h>

#include <plait/aio.hpp>
#include <plait/testing/sequencer.hpp>
#include <plait/testing/virtual_clock.hpp>

#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "../support/log_capture.hpp"

namespace plait::test {
namespace {

using namespace std::chrono_literals;
using testing::Sequencer;
using testing::VirtualLoop;

TEST_SUITE_BEGIN("testing/sequencer");

TEST_CASE("reach: tasks go on in the order of the points, however they are started") {
  //! [sequencer]
  std::string order;
  auto append = [](Sequencer& seq, std::size_t turn, std::string& order) -> Coroutine<> {
    co_await seq.reach(2 * turn);
    order += std::to_string(turn);
    co_await seq.reach(2 * turn + 1);
  };
  auto main = [append](Sequencer& seq, std::string& order) -> Coroutine<> {
    std::vector<aio::Task<>> tasks;
    for (const std::size_t turn : {2, 0, 3, 1}) {
      tasks.push_back(aio::create_task(append(seq, turn, order)));
    }
    for (const auto& task : tasks) co_await task;
  };
  Sequencer seq(8);
  VirtualLoop().run(main(seq, order));
  CHECK(order == "0123");
  //! [sequencer]
  seq.check_all_reached();
}

TEST_CASE("reach_blocking: threads take turns") {
  std::string order;
  Sequencer seq(6);
  auto append = [&](std::size_t turn) {
    seq.reach_blocking(2 * turn);
    order += std::to_string(turn);  // a data race, but for the order
    seq.reach_blocking(2 * turn + 1);
  };
  std::thread last(append, 2), first(append, 0), middle(append, 1);
  last.join();
  first.join();
  middle.join();
  CHECK(order == "012");
  CHECK(seq.reached() == 6);
}

TEST_CASE("reach: tasks and threads together; virtual time stands still for the threads") {
  auto main = [](Sequencer& seq, std::string& order) -> Coroutine<> {
    auto alarm = aio::get_running_loop().call_later(1h, [&order] { order += "alarm "; });
    co_await seq.reach(0);
    co_await seq.reach(2);
    order += "task ";
    co_await seq.reach(3);
    co_await seq.reach(5);
    order += "end";
    alarm.cancel();
  };
  std::string order;
  Sequencer seq(6, {.with_threads = true});
  std::thread thread([&] {
    seq.reach_blocking(1);
    while (seq.reached() < 4) std::this_thread::yield();
    order += "thread ";
    seq.reach_blocking(4);
  });
  VirtualLoop().run(main(seq, order));
  thread.join();
  CHECK(order == "task thread end");
}

TEST_CASE("reach: a missing point is a DeadlockError of a loop with virtual time") {
  auto main = [](Sequencer& seq) -> Coroutine<> {
    co_await seq.reach(0);
    co_await seq.reach(2);
  };
  Sequencer seq(3);
  LogCapture log;
  const auto text = text_of<DeadlockError>([&] { VirtualLoop().run(main(seq)); });
  CHECK(holds(text, "Sequencer.reach(2), 1 points were reached"));
  CHECK(holds(text_of<RuntimeError>([&] { seq.check_all_reached(); }), "point 1 of 3"));
}

TEST_CASE("reach: a missing point is a TimeoutError in threads and in loops with real time") {
  auto main = [](Sequencer& seq) -> Coroutine<> { co_await seq.reach(2); };
  Sequencer seq(4, {.with_threads = true, .timeout = 5ms});
  const auto in_thread = text_of<TimeoutError>([&] { seq.reach_blocking(1); });
  CHECK(holds(in_thread, "point 0 is missing"));
  CHECK(holds(in_thread, "wait those at 1"));
  CHECK(holds(text_of<TimeoutError>([&] { aio::run(main(seq)); }), "wait those at 2"));
  CHECK(holds(text_of<TimeoutError>([&] { VirtualLoop().run(main(seq)); }), "at 2"));
}

TEST_CASE("reach: wrong points are refused") {
  auto main = [](Sequencer& seq) -> Coroutine<> { co_await seq.reach(0); };
  Sequencer seq(2);
  CHECK(holds(text_of<std::invalid_argument>([&] { seq.reach_blocking(2); }), "none of the 2"));
  seq.reach_blocking(0);
  CHECK(holds(text_of<std::invalid_argument>([&] { VirtualLoop().run(main(seq)); }), "before"));
  Sequencer twice(2);
  VirtualLoop loop;
  auto wait = [](Sequencer& seq) -> Coroutine<> { co_await seq.reach(1); };
  auto first = loop.start(wait(twice));
  auto second = loop.start(wait(twice));
  CHECK_THROWS_AS(second.result(), std::invalid_argument);
  twice.reach_blocking(0);
  loop.settle();
  CHECK(first.done());
}

TEST_CASE("reach: a cancelled task has not reached its point") {
  auto wait = [](Sequencer& seq) -> Coroutine<> { co_await seq.reach(1); };
  Sequencer seq(2);
  VirtualLoop loop;
  auto task = loop.start(wait(seq));
  task.cancel();
  loop.settle();
  CHECK(task.cancelled());
  seq.reach_blocking(0);
  CHECK(seq.reached() == 1);
}

TEST_CASE("reach: a loop that is closed meanwhile leaves no one waiting") {
  auto wait = [](Sequencer& seq) -> Coroutine<> { co_await seq.reach(1); };
  Sequencer seq(2);
  LogCapture log;
  {
    VirtualLoop loop;
    loop.start(wait(seq));
  }
  CHECK(log.count("destroyed but it is pending") == 1);
  seq.reach_blocking(0);
  CHECK(seq.reached() == 1);
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
