// wait and as_completed, awaited: several futures and tasks as they end.
#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <plait/core/wait.hpp>
#include <plait/loop/awaitable.hpp>
#include <plait/loop/detail/completions.hpp>

namespace plait::detail {

template <class T>
std::vector<Future<T>> futures_of(std::vector<aio::Task<T>> tasks) {
  std::vector<Future<T>> futures;
  futures.reserve(tasks.size());
  for (auto& task : tasks) futures.push_back(std::move(task));
  return futures;
}

template <class T>
Coroutine<DoneAndNotDone<T>> wait_for_futures(std::vector<Future<T>> fs, WaitOptions options) {
  std::vector<Future<T>> chosen;
  const auto states = distinct_states(fs, chosen, "wait()");
  co_await wait_in_loop(states, options);
  DoneAndNotDone<T> result;
  for (auto& future : chosen) {
    (future.done() ? result.done : result.not_done).push_back(std::move(future));
  }
  co_return result;
}

}  // namespace plait::detail

namespace plait::aio {

/// Waits until the futures are done as `options.return_when` says, or until the timeout. Cancels
/// none of them, and a failure of one is no error.
///
/// Duplicates count once. **Python:** as there, with lists in the order of `fs` for sets.
/// **Threads:** a coroutine on a loop. **Cancellation:** at once; the futures are not cancelled.
/// @throws std::invalid_argument for no future at all, one without a state or of another loop
template <class T>
Coroutine<DoneAndNotDone<T>> wait(std::vector<Future<T>> fs, WaitOptions options = WaitOptions()) {
  return plait::detail::wait_for_futures(std::move(fs), options);
}
/// As above, for tasks.
template <class T>
Coroutine<DoneAndNotDone<T>> wait(std::vector<Task<T>> fs, WaitOptions options = WaitOptions()) {
  return plait::detail::wait_for_futures(plait::detail::futures_of(std::move(fs)), options);
}

/// One coroutine for each of the futures, duplicates once: the first to be awaited gives the result
/// of the future that is done first, and so on.
///
/// When the timeout, which counts from this call, has passed, the coroutines that have no result
/// throw TimeoutError; the futures run on. The coroutines may be awaited one by one, or several at
/// once. **Python:** the plain iterator of as_completed(). **Threads:** a running loop's.
/// **Cancellation:** of one of the coroutines costs no result: the next one gets it.
/// @throws RuntimeError without a running loop; std::invalid_argument for a future without a state
/// or of another loop
template <class T>
std::vector<Coroutine<T>> as_completed(std::vector<Future<T>> fs,
                                       std::optional<Duration> timeout = {}) {
  auto& core = plait::detail::require_running_core();
  std::vector<Future<T>> chosen;
  const auto states = plait::detail::distinct_states(fs, chosen, "as_completed()");
  const auto stream = std::make_shared<plait::detail::CompletionStream>(core, states, timeout);
  std::vector<Coroutine<T>> results;
  results.reserve(states.size());
  while (results.size() < states.size()) {
    results.push_back(plait::detail::next_completed<T>(stream));
  }
  return results;
}
/// As above, for tasks.
template <class T>
std::vector<Coroutine<T>> as_completed(std::vector<Task<T>> fs,
                                       std::optional<Duration> timeout = {}) {
  return as_completed(plait::detail::futures_of(std::move(fs)), timeout);
}

}  // namespace plait::aio
