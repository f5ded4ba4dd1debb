// Runs the body of a test as the main task of a loop whose time is virtual.
#pragma once

#include <exception>
#include <plait/aio.hpp>
#include <utility>

namespace plait::test {

// body() makes a coroutine; it may capture, as it lives until that has ended.
template <class Body>
void on_loop(Body body) {
  aio::EventLoop loop({.virtual_time = true});
  loop.run_until_complete(body());
}

// Lets the others run n times.
inline Coroutine<> ticks(int n) {
  while (n-- > 0) co_await aio::yield();
}

// Awaits all of them; what they throw is theirs.
template <class... Tasks>
Coroutine<> settle(Tasks... tasks) {
  const auto settle_one = [](auto task) -> Coroutine<> {
    try {
      co_await task;
    } catch (...) {
    }
  };
  (co_await settle_one(tasks), ...);
}

template <class E, class T>
Coroutine<bool> throws(Coroutine<T> body) {
  try {
    co_await std::move(body);
  } catch (const E&) {
    co_return true;
  }
  co_return false;
}

}  // namespace plait::test
