// What gather(), shield() and wait_for() take: coroutines, tasks and futures.
#pragma once

#include <concepts>
#include <type_traits>
#include <utility>
#include <variant>

#include <plait/core/errors.hpp>
#include <plait/loop/detail/loop_core.hpp>
#include <plait/loop/task.hpp>

namespace plait::aio {

/// A result as an element of a tuple or vector: std::monostate in the place of void.
template <class T>
using NonVoid = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

/// The type of what a Coroutine, a Task or a Future ends with, as the member `type`.
template <class A>
struct awaited;
/// See awaited.
template <class T>
struct awaited<Coroutine<T>> {
  using type = T;  ///< the coroutine's result
};
/// See awaited.
template <class T>
struct awaited<Task<T>> {
  using type = T;  ///< the task's result
};
/// See awaited.
template <class T>
struct awaited<Future<T>> {
  using type = T;  ///< the future's result
};
/// What `co_await` on an A gives.
template <class A>
using Awaited = typename awaited<std::remove_cvref_t<A>>::type;

/// A Coroutine, a Task or a Future.
template <class A>
concept Awaitable = requires { typename Awaited<A>; };

}  // namespace plait::aio

namespace plait::detail {

template <class A>
inline constexpr bool makes_task = false;
template <class T>
inline constexpr bool makes_task<Coroutine<T>> = true;

/// The state behind an awaitable; a coroutine is made a task of the running loop, `core`.
template <class T>
StateRef<FutureState> to_state(LoopCore& core, Coroutine<T>&& coro, const char*) {
  auto& state = *new TaskState<T>(core, release_frame(coro));
  core.push(state);
  return StateRef<FutureState>::adopt(&state);
}
template <class T, class Place>
StateRef<FutureState> to_state(Place&, const Future<T>& future, const char* function) {
  if (!future.valid()) throw_no_state(function);
  return StateRef<FutureState>::share(*state_of(future));
}
template <class T, class Place>
StateRef<FutureState> to_state(Place&, Future<T>&& future, const char* function) {
  if (!future.valid()) throw_no_state(function);
  return release_state(std::move(future));
}

/// The value of a done state for somebody else: moved where `exclusive` or the last reference.
template <class T>
aio::NonVoid<T> take_value(FutureState& done, bool exclusive) {
  if constexpr (std::is_void_v<T>) {
    return {};
  } else {
    auto& state = static_cast<ValueState<T>&>(done);
    if (exclusive) return std::move(state.value());
    return state.give_value();
  }
}

/// Throws std::invalid_argument if `state` belongs to another loop than `core`.
void check_same_loop(const LoopCore& core, const FutureState& state, const char* function);

}  // namespace plait::detail
