// Tests of process pools from coroutines: awaited, gathered, and as a loop's executor.
#include <doctest/doctest.h>

#include <stdexcept>
#include <vector>

#include <plait/executors/process_pool_executor.hpp>
#include <plait/loop/event_loop.hpp>
#include <plait/loop/gather.hpp>
#include <plait/loop/run.hpp>

#include "../support/nothing_left.hpp"

using namespace plait;

namespace {

int add(int a, int b) { return a + b; }
int fail() { throw std::out_of_range("no such thing"); }

Coroutine<int> await_one(ProcessPoolExecutor& pool) { co_return co_await pool.submit(add, 2, 3); }
Coroutine<int> through_loop(ProcessPoolExecutor& pool) {
  co_return co_await aio::get_running_loop().run_in_executor(&pool, remote<add>, 4, 5);
}
Coroutine<int> gather_many(ProcessPoolExecutor& pool) {
  std::vector<Future<int>> tasks;
  for (int i = 0; i < 10; ++i) tasks.push_back(pool.submit(add, i, i));
  int sum = 0;
  for (const int value : co_await aio::gather(std::move(tasks))) sum += value;
  co_return sum;
}
Coroutine<int> await_failing(ProcessPoolExecutor& pool) { co_return co_await pool.submit(fail); }

TEST_SUITE_BEGIN("bridge/process_pool_in_loop");

TEST_CASE_FIXTURE(test::NothingLeft, "co_await: a process pool's futures resume a loop's task") {
  ProcessPoolExecutor pool(2);
  CHECK(aio::run(await_one(pool)) == 5);
  CHECK(aio::run(gather_many(pool)) == 90);
  CHECK_THROWS_AS((void)aio::run(await_failing(pool)), std::out_of_range);
}

TEST_CASE_FIXTURE(test::NothingLeft, "run_in_executor: takes remote<&f> to a process pool") {
  ProcessPoolExecutor pool(1);
  CHECK(aio::run(through_loop(pool)) == 9);
}

TEST_SUITE_END();

}  // namespace
