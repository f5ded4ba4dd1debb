// How a worker that waits finds what it can run, and how it hears that there is more of that.
#include <plait/core/detail/need_search.hpp>

#include <algorithm>

#include "core/wait_graph.hpp"

namespace plait::detail {
namespace {

// Those that watch something. Guarded by searches_mutex().
constinit NeedSearch* searches = nullptr;

}  // namespace

Mutex& searches_mutex() {
  static Mutex& mutex = *new Mutex;  // never destroyed: jobs may outlive static destruction
  return mutex;
}

bool NeedSearch::help(FutureState& awaited) {
  if (awaited.owner() == working_thread.owner && awaited.owner()->help(awaited)) return true;
  look(awaited);
  return run_found();
}

// Breadth first, so that what was asked for first is run first.
void NeedSearch::look(FutureState& awaited) {
  found_.clear();
  add(StateRef<FutureState>::share(awaited));
  std::unordered_set<const FutureState*> seen;
  for (std::size_t i = 0; i < found_.size(); ++i) {
    FutureState& state = *found_[i];
    if (!state.done() && seen.insert(&state).second) state.find_needs(*this);
  }
}

bool NeedSearch::run_found() {
  JobOwner* const owner = working_thread.owner;
  bool helped = false;
  for (const auto& state : std::exchange(found_, {})) {
    if (enough()) break;
    if (state->owner() == owner && owner->help(*state)) helped = true;
  }
  return helped;
}

void NeedSearch::watch(FutureState& state) {
  MutexLock lock(searches_mutex());
  if (watched_.empty()) next_ = std::exchange(searches, this);
  watched_.insert(&state);
  state.set_watched();
}

void NeedSearch::unwatch() noexcept {
  MutexLock lock(searches_mutex());
  if (watched_.empty()) return;
  watched_.clear();
  NeedSearch** link = &searches;
  while (*link != this) link = &(*link)->next_;
  *link = next_;
}

void NeedSearch::tell(FutureState& state) noexcept {
  MutexLock lock(searches_mutex());
  for (NeedSearch* search = searches; search; search = search->next_) {
    if (search->watched_.contains(&state)) search->changed();
  }
}

void NeedSearch::forget_all() noexcept { searches = nullptr; }

}  // namespace plait::detail
