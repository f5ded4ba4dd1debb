// AsyncGenerator: a coroutine that gives one value after the other, and may wait in between.
#pragma once

#include <optional>
#include <utility>

#include <plait/core/coroutine.hpp>
#include <plait/loop/detail/async_generator_state.hpp>

namespace plait::aio {

/// A coroutine that may co_await all that a Coroutine may, and yields values of type T.
///
/// `while (auto value = co_await generator.next())` goes through them. The body runs as a part of
/// the task that awaits next(), one at a time; different tasks may take turns. Destroying a
/// generator destroys its body where it stands, by its destructors only: a body that has to wait to
/// clean up is ended with aclose(). Runner and run() do that for those which are still suspended at
/// the end. Parameters live in the generator's frame; references and the captures of a lambda do
/// not.
///
/// **Python:** an asynchronous generator, without asend() and athrow(). **Threads:** the loop's.
template <class T>
class [[nodiscard]] AsyncGenerator {
 public:
  /// What the compiler looks for.
  using promise_type = detail::AsyncGeneratorPromise<T>;

  /// Takes over the other's body; the other then is as one that has ended.
  AsyncGenerator(AsyncGenerator&& other) noexcept = default;
  /// As above; what it held before is destroyed.
  AsyncGenerator& operator=(AsyncGenerator&& other) noexcept = default;
  ~AsyncGenerator() = default;

  /// Goes on to the next co_yield.
  ///
  /// **Cancellation:** in the body, at what it awaits.
  /// @returns what is yielded; nullopt: the generator has ended
  /// @throws what the body threw; RuntimeError if another task is in next() or aclose()
  Coroutine<std::optional<T>> next() { return State::next_value(state_); }
  /// Ends it: GeneratorExit is thrown where the body stands; one that was never started is
  /// destroyed.
  /// @throws RuntimeError if the body yields in spite of it, or as next(); what else it throws
  Coroutine<> aclose() {
    using Base = detail::StateRef<detail::AsyncGeneratorState>;
    return State::close(state_ ? Base::share(*state_) : Base());
  }

 private:
  using State = detail::TypedAsyncGeneratorState<T>;
  friend promise_type;

  explicit AsyncGenerator(State& state) noexcept : state_(detail::StateRef<State>::adopt(&state)) {}

  detail::StateRef<State> state_;  // null: moved from
};

}  // namespace plait::aio
