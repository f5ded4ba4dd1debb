// std::future in and out.
#pragma once

#include <chrono>
#include <future>
#include <utility>

#include <plait/bridge/detail/foreign_future.hpp>

namespace plait::detail {

/// Whether a std::future, or a std::shared_future, can be read without a wait.
struct IsStdReady {
  template <class Foreign>
  bool operator()(const Foreign& f) const {
    return f.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  }
};

}  // namespace plait::detail

namespace plait::aio {

/// A future of the running loop that ends as `f` does.
///
/// A std::future can only be blocked for. A thread of its own does that, and ends with it; no
/// worker of a pool is held up, and no pool is needed that would be too small one day: if each of
/// its workers waited for a std::future that only a queued job can set, nothing would ever move. If
/// `f` is ready there is no thread. A deferred function runs in that thread. **Python:** none.
/// **Threads:** a running loop's. **Cancellation:** ends the wrapper; whoever works for `f` does
/// not hear of it. @throws RuntimeError without a running loop; InvalidStateError for a future
/// without a state; std::system_error if there can be no more threads
template <class T>
Future<T> wrap_future(std::future<T> f) {
  return plait::detail::wrap_foreign<T>(std::move(f), plait::detail::IsStdReady());
}

/// As above; the value is copied.
template <class T>
Future<T> wrap_future(std::shared_future<T> f) {
  return plait::detail::wrap_foreign<T>(std::move(f), plait::detail::IsStdReady());
}

/// A std::shared_future that is ready when `f` is done; an error and a cancellation come out of its
/// get() as what result() throws.
///
/// The value is copied; it is moved if `f` is the last handle or T cannot be copied. Waiting for it
/// helps nobody: in a worker of the pool that `f` is queued on it may wait for ever. **Python:**
/// none. **Threads:** any. @throws InvalidStateError for a future without a state
template <class T>
std::shared_future<T> to_std_future(Future<T> f) {
  std::promise<T> promise;
  auto result = promise.get_future().share();
  plait::detail::OutcomeRelay<T, std::promise<T>>::start(
      plait::detail::take_state(std::move(f), "to_std_future()"), std::move(promise));
  return result;
}

}  // namespace plait::aio
