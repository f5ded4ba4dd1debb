// wait: blocks until the first, the first failed or all of several futures are done.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include <plait/core/clock.hpp>
#include <plait/core/future.hpp>

namespace plait {

/// When wait() returns. **Python:** the constants of these names.
enum class ReturnWhen {
  FIRST_COMPLETED,  ///< when any is done
  FIRST_EXCEPTION,  ///< when any has failed, else when all are done; cancelled is not failed
  ALL_COMPLETED     ///< when all are done
};
using enum ReturnWhen;

/// The keyword arguments of wait().
struct WaitOptions {
  std::optional<Duration> timeout{};                   ///< nullopt: for ever
  ReturnWhen return_when = ReturnWhen::ALL_COMPLETED;  ///< what to wait for
};

/// What wait() found, each future once, in the order they were given in.
template <class T>
struct DoneAndNotDone {
  std::vector<Future<T>> done;      ///< those with a value, an exception or a cancellation
  std::vector<Future<T>> not_done;  ///< the others
};

namespace detail {

/// The places of the first occurrence of each state. std::invalid_argument where one is null.
std::vector<std::size_t> distinct(std::span<FutureState* const> states, const char* function);

/// Blocks until `states` fulfil the options; never throws TimeoutError.
void wait_for(std::span<FutureState* const> states, const WaitOptions& options);

/// The states of the distinct members of `futures`, which are returned in `chosen`.
template <class T>
std::vector<FutureState*> distinct_states(const std::vector<Future<T>>& futures,
                                          std::vector<Future<T>>& chosen, const char* function) {
  std::vector<FutureState*> states;
  states.reserve(futures.size());
  for (const auto& future : futures) states.push_back(state_of(future));
  const auto places = distinct(states, function);
  chosen.reserve(places.size());
  for (const std::size_t place : places) {
    chosen.push_back(futures[place]);
    states[chosen.size() - 1] = states[place];
  }
  states.resize(chosen.size());
  return states;
}

}  // namespace detail

/// Blocks until the futures are done as `options.return_when` says, or until the timeout.
///
/// Futures of different executors may be mixed; duplicates count once; a cancelled future is done
/// at once. In a worker, pending jobs of its own pool are run in place. **Python:** as there.
/// **Threads:** any.
/// @throws std::invalid_argument for a future without a state, DeadlockError; never TimeoutError
template <class T>
DoneAndNotDone<T> wait(const std::vector<Future<T>>& fs, WaitOptions options = WaitOptions()) {
  std::vector<Future<T>> chosen;
  const auto states = detail::distinct_states(fs, chosen, "wait()");
  detail::wait_for(states, options);
  DoneAndNotDone<T> result;
  for (auto& future : chosen) {
    (future.done() ? result.done : result.not_done).push_back(std::move(future));
  }
  return result;
}

}  // namespace plait
