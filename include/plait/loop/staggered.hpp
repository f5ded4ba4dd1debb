// staggered_race: one candidate after the other until one succeeds, as Happy Eyeballs does.
#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include <plait/core/clock.hpp>
#include <plait/core/coroutine.hpp>
#include <plait/loop/awaitable.hpp>
#include <plait/loop/event_loop.hpp>

namespace plait::aio {

/// How a staggered_race() ended.
template <class T>
struct StaggeredResult {
  std::optional<NonVoid<T>> winner;            ///< the first result; nullopt: all have failed
  std::optional<std::size_t> index;            ///< the winner's place among the candidates
  std::vector<std::exception_ptr> exceptions;  ///< one for each that was started; winner: null
};

}  // namespace plait::aio

namespace plait::detail {

/// What a race knows without the type of its result. Lives in the frame of the race.
struct Race {
  std::vector<std::exception_ptr> exceptions;  // one for each that was started
  std::vector<Future<>> runners;               // as above
  bool won = false;
};

/// Runs the candidates that `start` makes tasks of until one has won, or all have failed, and then
/// until all have ended.
Coroutine<> run_race(Race& race, std::size_t candidates, std::optional<Duration> delay,
                     std::function<Future<>(std::size_t)> start);

template <class T>
Coroutine<> run_candidate(Race& race, aio::StaggeredResult<T>& result, std::size_t index,
                          std::function<Coroutine<T>()>& candidate) {
  try {
    std::optional<aio::NonVoid<T>> value;
    if constexpr (std::is_void_v<T>) {
      co_await candidate();
      value.emplace();
    } else {
      value.emplace(co_await candidate());
    }
    if (std::exchange(race.won, true)) co_return;
    result.winner = std::move(value);
    result.index = index;
  } catch (...) {
    race.exceptions[index] = std::current_exception();
  }
}

}  // namespace plait::detail

namespace plait::aio {

/// Starts the candidates one by one, the next when `delay` has passed or the last one has failed;
/// the first success wins, and the others are cancelled.
///
/// Ends when all that were started have ended. Without a delay only a failure starts the next.
/// **Python:** the internal asyncio.staggered.staggered_race(). **Threads:** a coroutine on a loop.
/// **Cancellation:** cancels all candidates and waits for their end.
/// @throws CancelledError; what the candidates throw is in the result
template <class T>
Coroutine<StaggeredResult<T>> staggered_race(std::vector<std::function<Coroutine<T>()>> candidates,
                                             std::optional<Duration> delay = {}) {
  StaggeredResult<T> result;
  plait::detail::Race race;
  co_await plait::detail::run_race(race, candidates.size(), delay, [&](std::size_t index) {
    return Future<>(
        create_task(plait::detail::run_candidate(race, result, index, candidates[index])));
  });
  result.exceptions = std::move(race.exceptions);
  co_return result;
}

}  // namespace plait::aio
