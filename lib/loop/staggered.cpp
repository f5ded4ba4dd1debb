// When the next candidate of a race starts, and how the race ends.
#include <plait/loop/staggered.hpp>

#include <plait/core/cancelled_error.hpp>
#include <plait/loop/wait.hpp>

namespace plait::detail {
namespace {

using Starter = std::function<Future<>(std::size_t)>;

std::vector<Future<>> unfinished(const std::vector<Future<>>& runners) {
  std::vector<Future<>> result;
  for (const auto& runner : runners) {
    if (!runner.done()) result.push_back(runner);
  }
  return result;
}

// Until somebody has won, the newest has failed or its time is over.
Coroutine<> watch_newest(Race& race, std::optional<Duration> delay) {
  const auto& loop = require_running_core();
  const auto end = delay ? std::optional(loop.deadline(*delay)) : std::nullopt;
  while (!race.won && !race.runners.back().done()) {
    WaitOptions options;
    options.return_when = FIRST_COMPLETED;
    if (end && *end <= loop.time()) co_return;
    if (end) options.timeout = *end - loop.time();
    co_await aio::wait(unfinished(race.runners), options);
  }
}

Coroutine<> start_all(Race& race, std::size_t candidates, std::optional<Duration> delay,
                      const Starter& start) {
  for (std::size_t i = 0; i < candidates && !race.won; ++i) {
    race.exceptions.emplace_back();
    race.runners.push_back(start(i));
    const bool last = i + 1 == candidates;
    co_await watch_newest(race, last ? std::nullopt : delay);
  }
  while (!race.won && !unfinished(race.runners).empty()) {
    WaitOptions options;
    options.return_when = FIRST_COMPLETED;
    co_await aio::wait(unfinished(race.runners), options);
  }
}

// However often it is cancelled; the last cancellation, or null.
Coroutine<std::exception_ptr> end_all(const Race& race) {
  std::exception_ptr cancellation;
  for (const auto& runner : race.runners) state_of(runner)->cancel();
  for (auto rest = unfinished(race.runners); !rest.empty(); rest = unfinished(race.runners)) {
    try {
      co_await aio::wait(rest);
    } catch (...) {
      cancellation = std::current_exception();
    }
  }
  co_return cancellation;
}

}  // namespace

Coroutine<> run_race(Race& race, std::size_t candidates, std::optional<Duration> delay,
                     Starter start) {
  std::exception_ptr error;
  try {
    co_await start_all(race, candidates, delay, start);
  } catch (...) {
    error = std::current_exception();
  }
  if (auto cancellation = co_await end_all(race)) error = std::move(cancellation);
  if (error) std::rethrow_exception(error);
  for (std::size_t i = 0; i < race.runners.size();
       ++i) {  // one was cancelled before its first step
    if (race.runners[i].cancelled()) {
      race.exceptions[i] = std::make_exception_ptr(CancelledError());
    }
  }
}

}  // namespace plait::detail
