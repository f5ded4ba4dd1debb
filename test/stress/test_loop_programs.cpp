// Random programs of tasks, groups, timeouts, locks and queues under virtual time: every one ends,
// with every permit back and nothing left behind.
#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <plait/aio.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "../support/lifetime_tracked.hpp"
#include "../support/seeded.hpp"

namespace plait::test {
namespace {

using namespace std::chrono_literals;

// What the tasks of one program share.
struct World {
  explicit World(std::uint64_t seed) : engine(seed) {}

  Engine engine;
  LifetimeCounts counts;
  aio::Semaphore permits{3};
  aio::Lock lock;
  aio::Event event;
  aio::Condition condition;
  aio::Queue<std::unique_ptr<LifetimeTracked>> queue{4};
  std::vector<aio::AnyTask> tasks;
  int holders = 0;       // of a permit
  int lock_holders = 0;  // of the lock
  std::size_t put = 0, got = 0;

  std::size_t pick(std::size_t bound) { return test::pick(engine, bound); }
  Duration delay() { return std::chrono::milliseconds(pick(20)); }
};

Coroutine<> act(World& world, int depth);

Coroutine<> act_often(World& world, int depth) {
  for (auto left = world.pick(4); left > 0; --left) co_await act(world, depth);
}

Coroutine<> hold_permit(World& world, int depth) {
  // With a limit: those who hold one permit and wait for another could wait for each other.
  auto permit = co_await aio::wait_for(world.permits.scoped(), 1s);
  const LifetimeTracked tracked(world.counts);
  ++world.holders;
  CHECK(world.holders <= 3);
  std::exception_ptr error;
  try {
    co_await act_often(world, depth - 1);
  } catch (...) {
    error = std::current_exception();
  }
  --world.holders;
  if (error) std::rethrow_exception(error);
}

Coroutine<> hold_lock(World& world) {
  auto guard = co_await world.lock.scoped();
  ++world.lock_holders;
  CHECK(world.lock_holders == 1);
  std::exception_ptr error;
  try {
    co_await aio::sleep(world.delay());
  } catch (...) {
    error = std::current_exception();
  }
  --world.lock_holders;
  if (error) std::rethrow_exception(error);
}

Coroutine<> put_item(World& world) {
  co_await world.queue.put(std::make_unique<LifetimeTracked>(world.counts));
  ++world.put;
}

Coroutine<> get_item(World& world) {
  const auto item = co_await world.queue.get();
  CHECK(item != nullptr);
  ++world.got;
}

Coroutine<> limited(World& world, int depth) {
  const Duration limit = world.delay();
  try {
    co_await aio::timeout(limit, [&world, depth](aio::Timeout&) -> Coroutine<> {
      co_await act_often(world, depth - 1);
    });
  } catch (const TimeoutError&) {
    // As it should be: the rest of the program goes on.
  }
}

Coroutine<> grouped(World& world, int depth) {
  try {
    co_await aio::task_group([&world, depth](aio::TaskGroup& group) -> Coroutine<> {
      for (auto left = world.pick(4); left > 0; --left) {
        world.tasks.push_back(group.create_task(act_often(world, depth - 1)));
      }
      if (world.pick(5) == 0) group.cancel();
      co_await act(world, depth - 1);
    });
  } catch (const ExceptionGroup&) {
    // The failure of a child, or of the body.
  }
}

Coroutine<> gathered(World& world, int depth) {
  std::vector<Coroutine<>> children;
  for (auto left = world.pick(4); left > 0; --left) children.push_back(act(world, depth - 1));
  if (world.pick(2) == 0) {
    co_await aio::gather(aio::return_exceptions, std::move(children));
  } else {
    co_await aio::gather(std::move(children));
  }
}

Coroutine<> use_condition(World& world) {
  auto guard = co_await world.condition.scoped();
  if (world.pick(2) == 0) {
    world.condition.notify(1 + world.pick(2));
  } else {
    co_await aio::wait_for(world.condition.wait(), world.delay() + 1ms);
  }
}

Coroutine<> use_event(World& world) {
  if (world.pick(2) == 0) {
    world.event.set();
    co_await aio::yield();
    world.event.clear();
  } else {
    co_await aio::wait_for(world.event.wait(), world.delay());
  }
}

Coroutine<> spawn(World& world, int depth) {
  auto task = aio::create_task(act_often(world, depth - 1));
  world.tasks.push_back(task);
  if (world.pick(3) == 0) co_await aio::yield();
  if (world.pick(2) == 0) task.cancel("by the program");
  if (world.pick(2) == 0) co_await task;
}

// Errors of these end where they are made: a timeout, a cancelled inner task, a failure on purpose.
Coroutine<> act_once(World& world, int depth) {
  switch (world.pick(depth > 0 ? 14 : 6)) {
    case 0:
      co_return co_await aio::sleep(world.delay());
    case 1:
      co_return co_await hold_lock(world);
    case 2:
      co_return co_await aio::wait_for(put_item(world), world.delay());
    case 3:
      co_return co_await aio::wait_for(get_item(world), world.delay());
    case 4:
      co_return co_await use_event(world);
    case 5:
      co_return co_await use_condition(world);
    case 6:
      co_return co_await hold_permit(world, depth);
    case 7:
      co_return co_await limited(world, depth);
    case 8:
      co_return co_await grouped(world, depth);
    case 9:
      co_return co_await gathered(world, depth);
    case 10:
      co_return co_await spawn(world, depth);
    case 11:
      co_return co_await aio::shield(act(world, depth - 1));
    case 12:
      throw std::runtime_error("on purpose");
    default:
      if (!world.tasks.empty()) world.tasks[world.pick(world.tasks.size())].cancel();
      co_return co_await aio::yield();
  }
}

Coroutine<> act(World& world, int depth) {
  try {
    co_await act_once(world, depth);
  } catch (const std::exception&) {
    // TimeoutError, "on purpose", an ExceptionGroup.
  }
}

Coroutine<> run_program(World& world) {
  for (int i = 0; i < 6; ++i) world.tasks.push_back(aio::create_task(act_often(world, 3)));
  co_await aio::sleep(world.delay());
  for (const auto& task : world.tasks) {
    if (world.pick(8) == 0) task.cancel();
  }
  co_await aio::sleep(1h);
}

// Everything can be had at once: nobody who is gone holds any of it.
Coroutine<> check_that_all_is_back(World& world) {
  for (int i = 0; i < 3; ++i) co_await aio::wait_for(world.permits.acquire(), 1ms);
  CHECK(world.permits.locked());
  CHECK_FALSE(world.lock.locked());
  CHECK_FALSE(world.condition.locked());
  CHECK(world.queue.qsize() == world.put - world.got);
  CHECK(world.holders == 0);
  CHECK(aio::all_tasks().size() == 1);
}

TEST_SUITE("stress/loop_programs") {
  TEST_CASE("loop: 20,000 random programs end with every task done and every permit back") {
    Engine engine = seeded_engine("loop programs");
    for (int program = 0; program < 20'000; ++program) {
      const std::uint64_t seed = engine();
      INFO("program of seed " << seed);
      auto world = std::make_unique<World>(seed);
      {
        aio::EventLoop loop({.virtual_time = true});
        loop.set_exception_handler([](aio::EventLoop&, const aio::ExceptionContext&) {});
        loop.run_until_complete(run_program(*world));
        loop.run_until_complete(check_that_all_is_back(*world));
        world->tasks.clear();
      }
      const auto left_in_queue = static_cast<int>(world->queue.qsize());
      REQUIRE(world->counts.live == left_in_queue);
    }
  }
}

}  // namespace
}  // namespace plait::test
