// Collects states in the order in which they become done; what wait and as_completed stand on.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include <plait/core/clock.hpp>
#include <plait/core/detail/future_state.hpp>

namespace plait::detail {

/// Watches several distinct states from its construction to its end. One thread uses it; the
/// states, which the caller keeps alive, may end in any thread. A moved-from queue watches nothing.
class CompletionQueue {
 public:
  CompletionQueue(std::vector<FutureState*> states, std::optional<Duration> timeout);
  CompletionQueue(std::vector<FutureState*> states, Deadline deadline);
  CompletionQueue(CompletionQueue&& other) noexcept;
  CompletionQueue& operator=(CompletionQueue&&) = delete;
  ~CompletionQueue();

  /// Blocks until the next state is done and gives its place; nullopt: the deadline has passed.
  /// A worker runs what of its own pool they need in place, see NeedSearch.
  std::optional<std::size_t> next();
  /// As next(), but throws TimeoutError at the deadline and gives nullopt once all were given.
  std::optional<std::size_t> next_or_throw();
  /// How many were not given yet.
  std::size_t remaining() const { return remaining_; }

 private:
  class Shared;
  class Search;

  bool expired() const;
  bool help();
  bool sleep();

  std::vector<FutureState*> states_;
  Shared* shared_;         // counted: one for this, one for every state that may still notify
  Deadline deadline_;      // const after construction
  std::size_t remaining_;  // states not given yet
  std::unique_ptr<Search> search_;  // null: no worker has waited here
  std::size_t help_cursor_ = 0;     // states before it need no help
};

}  // namespace plait::detail
