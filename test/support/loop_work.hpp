// Small coroutines and a loop with virtual time, for the tests of what combines them.
#pragma once

#include <chrono>
#include <exception>
#include <optional>
#include <plait/aio.hpp>
#include <plait/core/cancelled_error.hpp>
#include <plait/core/errors.hpp>
#include <plait/core/exception_group.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace plait::test {

using std::chrono::milliseconds;
using std::chrono::seconds;

// An ordinary error that no other code throws.
struct WorkError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

template <class T>
Coroutine<T> sleep_then(Duration delay, T value) {
  co_await aio::sleep(delay);
  co_return std::move(value);
}

inline Coroutine<> nap_for(Duration delay) { co_await aio::sleep(delay); }

inline Coroutine<int> fail_after(Duration delay, std::string text = "failed") {
  co_await aio::sleep(delay);
  throw WorkError(text);
}

inline Coroutine<int> await_future(Future<int> future) { co_return co_await future; }

template <class T>
Coroutine<T> await_task(aio::Task<T> task) {
  co_return co_await task;
}
inline Coroutine<> await_task(aio::Task<> task) { co_await task; }

// Counts in `cancelled` that it was cancelled.
inline Coroutine<int> count_cancel(Duration delay, int& cancelled) {
  try {
    co_await aio::sleep(delay);
  } catch (const CancelledError&) {
    ++cancelled;
    throw;
  }
  co_return 0;
}

// A vector of all of them; GCC 12 takes no braced list within a co_await expression.
template <class First, class... Rest>
std::vector<First> list_of(const First& first, const Rest&... rest) {
  std::vector<First> list;
  list.push_back(first);
  (..., list.push_back(rest));
  return list;
}

// Runs `main` on a new loop with virtual time; the tasks that it leaves are cancelled.
template <class T>
T run_virtual(Coroutine<T> main) {
  return aio::run(std::move(main), {.debug = false, .virtual_time = true});
}

// The time since the object was made, on the running loop.
class Stopwatch {
 public:
  Duration elapsed() const { return aio::get_running_loop().time() - start_; }

 private:
  const Clock::time_point start_ = aio::get_running_loop().time();
};

// co_await settle(): what is ready runs, and what that makes ready, a few times over.
inline Coroutine<> settle() {
  for (int i = 0; i < 5; ++i) co_await aio::yield();
}

// How a coroutine ended: "value", "cancelled", "timeout", or the text of its error.
template <class T>
Coroutine<std::string> ending_of(Coroutine<T> coro) {
  try {
    co_await std::move(coro);
  } catch (const CancelledError&) {
    co_return "cancelled";
  } catch (const TimeoutError&) {
    co_return "timeout";
  } catch (const std::exception& error) {
    co_return error.what();
  }
  co_return "value";
}

// The texts of what a group threw, in order; "?" for what is no WorkError.
inline std::vector<std::string> texts_of(const ExceptionGroup& group) {
  std::vector<std::string> texts;
  for (const auto& error : group.exceptions()) {
    try {
      std::rethrow_exception(error);
    } catch (const WorkError& work) {
      texts.emplace_back(work.what());
    } catch (...) {
      texts.emplace_back("?");
    }
  }
  return texts;
}

}  // namespace plait::test
