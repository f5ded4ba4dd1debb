// CallGraph: who waits for whom, now.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <plait/core/future.hpp>

namespace plait::aio {

/// The frames of a task, or just the name of another future, and above it the tasks that await it.
///
/// **Python:** FutureCallGraph.
struct CallGraph {
  std::string name;                ///< the task's name, else what kind of future it is
  std::vector<std::string> stack;  ///< one line a frame, innermost last; of a task that is not done
  std::vector<CallGraph> awaited_by;  ///< in the order in which they began to wait
};

}  // namespace plait::aio

namespace plait::detail {
/// The graph from `state` on upwards.
aio::CallGraph capture_graph(FutureState& state);
}  // namespace plait::detail

namespace plait::aio {

/// The graph of the task that runs now; nullopt in a callback.
///
/// The frame that calls this shows the line of its last co_await.
/// **Python:** as there. **Threads:** the loop's. @throws RuntimeError outside of a running loop
std::optional<CallGraph> capture_call_graph();
/// The graph of any task or other future. A task of another loop is seen by its name only: ask
/// there.
/// **Python:** as there. **Threads:** for a task the loop's. @throws InvalidStateError without a
/// state
template <class T>
std::optional<CallGraph> capture_call_graph(const Future<T>& f) {
  auto* const state = detail::state_of(f);
  if (!state) detail::throw_no_state("capture_call_graph()");
  return detail::capture_graph(*state);
}
/// `graph` as text, a few lines a task, for people to read. **Python:** as there.
std::string format_call_graph(const CallGraph& graph);

}  // namespace plait::aio
