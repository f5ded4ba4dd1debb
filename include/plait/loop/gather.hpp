// gather: several awaitables at once, as one future.
#pragma once

#include <tuple>
#include <utility>
#include <vector>

#include <plait/core/future.hpp>
#include <plait/core/outcome.hpp>
#include <plait/loop/awaitable.hpp>
#include <plait/loop/detail/gather_state.hpp>

namespace plait::aio {

/// The type of return_exceptions.
struct return_exceptions_t {};
/// The first argument of a gather() whose results tell how each awaitable has ended.
inline constexpr return_exceptions_t return_exceptions{};

/// Runs the awaitables at once, coroutines as tasks of the running loop, and gives a future of all
/// their results, in the order of the arguments.
///
/// In a coroutine on an executor they are jobs of that executor; see also fork_join(), which costs
/// less.
/// The first exception ends the future; the others run on, and their errors are dropped. An
/// awaitable that is cancelled counts as one that threw CancelledError. A future given twice runs
/// once; results that cannot be copied go to the first of its places. **Python:** as there.
/// **Threads:** a running loop's, or a coroutine's on an executor. **Cancellation:** of the future,
/// or of a task that awaits it, cancels all awaitables that are not done; a running job is asked to
/// stop.
/// @throws RuntimeError without a running loop or coroutine, or where the executor was shut down;
/// in a loop std::invalid_argument for a future of another loop
template <Awaitable... A>
Future<std::tuple<NonVoid<Awaited<A>>...>> gather(A&&... awaitables) {
  using Gather = detail::TupleGather<false, A...>;
  return detail::start_gather<Gather, typename Gather::Result>(new Gather(detail::running_place()),
                                                               std::forward<A>(awaitables)...);
}
/// As above, but waits for all of them and gives the Outcome of each, failed or not.
///
/// **Cancellation:** the future then ends with CancelledError.
template <Awaitable... A>
Future<std::tuple<Outcome<Awaited<A>>...>> gather(return_exceptions_t, A&&... awaitables) {
  using Gather = detail::TupleGather<true, A...>;
  return detail::start_gather<Gather, typename Gather::Result>(new Gather(detail::running_place()),
                                                               std::forward<A>(awaitables)...);
}
/// As the first, for any number of awaitables of one type.
template <Awaitable A>
Future<std::vector<NonVoid<Awaited<A>>>> gather(std::vector<A> awaitables) {
  using Gather = detail::VectorGather<false, A>;
  return detail::start_gather<Gather, typename Gather::Result>(
      new Gather(detail::running_place(), awaitables.size()), std::move(awaitables));
}
/// As the second, for any number of awaitables of one type.
template <Awaitable A>
Future<std::vector<Outcome<Awaited<A>>>> gather(return_exceptions_t, std::vector<A> awaitables) {
  using Gather = detail::VectorGather<true, A>;
  return detail::start_gather<Gather, typename Gather::Result>(
      new Gather(detail::running_place(), awaitables.size()), std::move(awaitables));
}

}  // namespace plait::aio
