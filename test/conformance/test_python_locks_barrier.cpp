// CPython's test_locks: Barrier. Left out: repr; its "async with" is a wait() before the scope.
#include <doctest/doctest.h>

#include <algorithm>
#include <plait/aio.hpp>
#include <stdexcept>
#include <vector>

#include "support/on_loop.hpp"

namespace plait::test {
namespace {

using aio::BrokenBarrierError;
using aio::create_task;
using aio::yield;
using Indexes = std::vector<std::size_t>;

constexpr std::size_t n = 5;

TEST_SUITE_BEGIN("conformance/test_locks.Barrier");

// Runs body(number) as a task for each of the numbers below `count`.
template <class Body>
std::vector<aio::Task<>> make_tasks(std::size_t count, Body& body) {
  std::vector<aio::Task<>> tasks;
  for (std::size_t number = 0; number < count; ++number) tasks.push_back(create_task(body()));
  return tasks;
}

Coroutine<> await_all(const std::vector<aio::Task<>>& tasks) {
  for (const auto& task : tasks) co_await task;
}

Coroutine<> pass(aio::Barrier& barrier, Indexes& indexes) {
  indexes.push_back(co_await barrier.wait());
}

Indexes sorted(Indexes indexes) {
  std::ranges::sort(indexes);
  return indexes;
}

// Adds one to `passed` or to `broken`, as wait() ends.
Coroutine<> pass_or_break(aio::Barrier& barrier, std::size_t& passed, std::size_t& broken) {
  try {
    co_await barrier.wait();
    ++passed;
  } catch (const BrokenBarrierError&) {
    ++broken;
  }
}

TEST_CASE("Barrier: is for one task at least [cpython test_locks.Barrier.test_barrier_parties]") {
  CHECK_THROWS_AS(aio::Barrier(0), std::invalid_argument);
  CHECK_THROWS_AS(aio::Barrier(static_cast<std::size_t>(-4)), std::invalid_argument);
  CHECK(aio::Barrier(3).parties() == 3);
}

TEST_CASE(
    "wait: each task gets an index of its own [cpython test_locks.Barrier.test_context_manager]") {
  on_loop([]() -> Coroutine<> {
    aio::Barrier barrier(3);
    Indexes indexes;
    const auto body = [&] { return pass(barrier, indexes); };
    co_await await_all(make_tasks(3, body));
    CHECK(sorted(indexes) == Indexes{0, 1, 2});
    CHECK(barrier.n_waiting() == 0);
    CHECK_FALSE(barrier.broken());
  });
}

TEST_CASE(
    "wait: one party passes at once, again and again [cpython "
    "test_locks.Barrier.test_filling_one_task_twice]") {
  on_loop([]() -> Coroutine<> {
    aio::Barrier barrier(1);
    CHECK(co_await barrier.wait() == 0);
    CHECK(co_await barrier.wait() == 0);
    CHECK(barrier.n_waiting() == 0);
  });
}

TEST_CASE(
    "n_waiting: counts up to the last one [cpython test_locks.Barrier.test_filling_task_by_task]") {
  on_loop([]() -> Coroutine<> {
    aio::Barrier barrier(3);
    Indexes indexes;
    const auto t1 = create_task(pass(barrier, indexes));
    co_await yield();
    CHECK(barrier.n_waiting() == 1);
    const auto t2 = create_task(pass(barrier, indexes));
    co_await yield();
    CHECK(barrier.n_waiting() == 2);
    const auto t3 = create_task(pass(barrier, indexes));
    co_await settle(t1, t2, t3);
    CHECK(indexes.size() == 3);
    CHECK(barrier.n_waiting() == 0);
    CHECK_FALSE(barrier.broken());
  });
}

Coroutine<> pass_twice(aio::Barrier& barrier, Indexes& first, Indexes& second) {
  co_await pass(barrier, first);
  co_await pass(barrier, second);
}

TEST_CASE(
    "wait: the second round is as the first [cpython "
    "test_locks.Barrier.test_filling_tasks_wait_twice]") {
  on_loop([]() -> Coroutine<> {
    aio::Barrier barrier(n);
    Indexes first, second;
    const auto body = [&] { return pass_twice(barrier, first, second); };
    co_await await_all(make_tasks(n, body));
    CHECK(first.size() == n);
    CHECK(sorted(second) == Indexes{0, 1, 2, 3, 4});
    CHECK(barrier.n_waiting() == 0);
  });
}

TEST_CASE(
    "wait: a cancelled task does not count [cpython "
    "test_locks.Barrier.test_filling_tasks_cancel_one]") {
  on_loop([]() -> Coroutine<> {
    aio::Barrier barrier(3);
    Indexes indexes;
    const auto t1 = create_task(pass(barrier, indexes));
    const auto t2 = create_task(pass(barrier, indexes));
    co_await yield();
    CHECK(barrier.n_waiting() == 2);
    t1.cancel();
    co_await settle(t1);
    CHECK(t1.cancelled());
    CHECK(barrier.n_waiting() == 1);
    CHECK_FALSE(barrier.broken());
    const auto t3 = create_task(pass(barrier, indexes));
    const auto t4 = create_task(pass(barrier, indexes));
    co_await settle(t2, t3, t4);
    CHECK(sorted(indexes) == Indexes{0, 1, 2});
    CHECK(barrier.n_waiting() == 0);
  });
}

TEST_CASE(
    "reset: breaks the wait of those who wait [cpython "
    "test_locks.Barrier.test_reset_barrier_while_tasks_waiting]") {
  on_loop([]() -> Coroutine<> {
    aio::Barrier barrier(n);
    std::size_t passed = 0, broken = 0;
    const auto body = [&] { return pass_or_break(barrier, passed, broken); };
    const auto tasks = make_tasks(n - 1, body);
    co_await yield();
    co_await barrier.reset();
    co_await await_all(tasks);
    CHECK(passed == 0);
    CHECK(broken == n - 1);
    CHECK(barrier.n_waiting() == 0);
    CHECK_FALSE(barrier.broken());
  });
}

Coroutine<> pass_or_break_and_pass(aio::Barrier& barrier, std::size_t& passed,
                                   std::size_t& broken) {
  std::size_t never = 0;
  co_await pass_or_break(barrier, never, broken);
  co_await barrier.wait();
  ++passed;
}

TEST_CASE(
    "reset: who was thrown out may wait again [cpython "
    "test_locks.Barrier.test_reset_barrier_while_tasks_waiting_and_waiting_again]") {
  on_loop([]() -> Coroutine<> {
    aio::Barrier barrier(n);
    std::size_t passed = 0, broken = 0;
    const auto body = [&] { return pass_or_break_and_pass(barrier, passed, broken); };
    const auto tasks = make_tasks(n - 1, body);
    co_await yield();
    co_await barrier.reset();
    co_await yield();
    co_await barrier.wait();
    co_await await_all(tasks);
    CHECK(broken == n - 1);
    CHECK(passed == n - 1);
    CHECK(barrier.n_waiting() == 0);
    CHECK_FALSE(barrier.broken());
  });
}

TEST_CASE(
    "reset: by the last one to leave harms nobody [cpython "
    "test_locks.Barrier.test_reset_barrier_while_tasks_draining]") {
  on_loop([]() -> Coroutine<> {
    aio::Barrier barrier(n);
    std::size_t left = 0, second = 0, broken = 0, third = 0;
    const auto body = [&]() -> Coroutine<> {
      co_await barrier.wait();
      if (++left == n) {
        co_await barrier.reset();
        co_await barrier.wait();
      } else {
        co_await pass_or_break(barrier, second, broken);
      }
      co_await barrier.wait();
      ++third;
    };
    co_await await_all(make_tasks(n, body));
    CHECK(second == n - 1);
    CHECK(broken == 0);
    CHECK(third == n);
    CHECK(barrier.n_waiting() == 0);
    CHECK_FALSE(barrier.broken());
  });
}

TEST_CASE("abort: breaks every wait until reset [cpython test_locks.Barrier.test_abort_barrier]") {
  on_loop([]() -> Coroutine<> {
    aio::Barrier barrier(n);
    std::size_t passed = 0, broken = 0;
    const auto body = [&] { return pass_or_break(barrier, passed, broken); };
    const auto tasks = make_tasks(n - 1, body);
    co_await yield();
    co_await barrier.abort();
    CHECK(barrier.broken());
    co_await await_all(tasks);
    CHECK(broken == n - 1);
    CHECK(co_await throws<BrokenBarrierError>(barrier.wait()));
    co_await barrier.reset();
    CHECK_FALSE(barrier.broken());
    co_await await_all(make_tasks(n, body));
    CHECK(passed == n);
  });
}

TEST_CASE(
    "abort: reaches those who leave and those who came again [cpython "
    "test_locks.Barrier.test_abort_barrier_when_tasks_half_draining_half_blocking]") {
  on_loop([]() -> Coroutine<> {
    aio::Barrier barrier(n);
    std::size_t left = 0, leaving = 0, blocked = 0;
    const auto body = [&]() -> Coroutine<> {
      if (co_await throws<BrokenBarrierError>(barrier.wait())) {
        ++leaving;
      } else if (++left > n / 2) {
        co_await barrier.abort();
      } else {
        blocked += co_await throws<BrokenBarrierError>(barrier.wait());
      }
    };
    co_await await_all(make_tasks(n, body));
    CHECK(barrier.broken());
    CHECK(leaving == n / 2);
    CHECK(blocked == n - n / 2 - 1);
    CHECK(barrier.n_waiting() == 0);
  });
}

TEST_CASE(
    "abort: after an error inside, the others find it broken [cpython "
    "test_locks.Barrier.test_abort_barrier_when_exception]") {
  on_loop([]() -> Coroutine<> {
    aio::Barrier barrier(n);
    std::size_t passed = 0, broken = 0;
    const auto body = [&]() -> Coroutine<> {
      bool failed = false;
      try {
        if (co_await barrier.wait() == n / 2) throw std::runtime_error("inside");
        co_await barrier.wait();
        ++passed;
      } catch (const BrokenBarrierError&) {
        ++broken;
      } catch (const std::runtime_error&) {
        failed = true;
      }
      if (failed) co_await barrier.abort();
    };
    co_await await_all(make_tasks(n, body));
    CHECK(barrier.broken());
    CHECK(passed == 0);
    CHECK(broken == n - 1);
    CHECK(barrier.n_waiting() == 0);
  });
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
