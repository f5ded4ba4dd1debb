// CPython's test_pep492, the part about locks: their use as the guards of a scope.
#include <doctest/doctest.h>

#include <plait/aio.hpp>

#include "support/on_loop.hpp"

namespace plait::test {
namespace {

TEST_SUITE_BEGIN("conformance/test_pep492");

template <class Lockable>
Coroutine<> use_in_scope(Lockable& lockable) {
  co_await aio::yield();
  CHECK_FALSE(lockable.locked());
  {
    const auto guard = co_await lockable.scoped();
    CHECK(lockable.locked());
    co_await aio::yield();
    CHECK(lockable.locked());
  }
  CHECK_FALSE(lockable.locked());
}

TEST_CASE(
    "scoped: locks for a scope with awaits [cpython "
    "test_pep492.Lock.test_context_manager_async_with]") {
  on_loop([]() -> Coroutine<> {
    aio::Lock lock;
    aio::Condition condition;
    aio::Semaphore semaphore;
    aio::BoundedSemaphore bounded;
    co_await use_in_scope(lock);
    co_await use_in_scope(condition);
    co_await use_in_scope(semaphore);
    co_await use_in_scope(bounded);
  });
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
