// How a call graph is captured and printed.
#include <plait/loop/call_graph.hpp>

#include <algorithm>

#include <plait/loop/detail/loop_core.hpp>
#include <plait/loop/detail/task_state.hpp>

namespace plait::detail {
namespace {

using Path = std::vector<const FutureState*>;

// `path` is the way down to where the capture began: tasks that wait for each other in a circle
// would have no end.
aio::CallGraph capture(FutureState& state, Path& path) {
  aio::CallGraph graph;
  if (const auto* const fiber = dynamic_cast<const Fiber*>(&state)) {
    if (!state.done() && !fiber->scheduler().in_own_thread()) {
      return {"a task of another event loop", {}, {}};
    }
    graph.name = fiber->name();
    graph.stack = fiber->stack();
  } else {
    graph.name = state.describe();
  }
  path.push_back(&state);
  for (const auto& waiting : state.awaited_by()) {
    if (std::ranges::find(path, waiting.get()) != path.end()) continue;
    graph.awaited_by.push_back(capture(*waiting, path));
  }
  path.pop_back();
  return graph;
}

void format(const aio::CallGraph& graph, const std::string& indent, std::string& text) {
  text += indent + "* " + graph.name + "\n";
  if (!graph.stack.empty()) {
    text += indent + "  + Call stack:\n";
    for (const auto& line : graph.stack) text += indent + "  |   " + line + "\n";
  }
  if (graph.awaited_by.empty()) return;
  text += indent + "  + Awaited by:\n";
  for (const auto& waiting : graph.awaited_by) format(waiting, indent + "     ", text);
}

}  // namespace

aio::CallGraph capture_graph(FutureState& state) {
  Path path;
  return capture(state, path);
}

}  // namespace plait::detail

namespace plait::aio {

std::optional<CallGraph> capture_call_graph() {
  auto* const task = detail::require_running_core().current_task();
  return task ? std::optional(detail::capture_graph(task->state())) : std::nullopt;
}

std::string format_call_graph(const CallGraph& graph) {
  std::string text;
  detail::format(graph, "", text);
  return text;
}

}  // namespace plait::aio
