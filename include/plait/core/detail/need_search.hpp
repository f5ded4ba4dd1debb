// What a worker that waits can run meanwhile.
#pragma once

#include <unordered_set>
#include <utility>
#include <vector>

#include <plait/core/detail/future_state.hpp>

namespace plait::detail {

/// Looks for work of the calling worker's own pool that the end of what it waits for needs: a
/// coroutine that waits needs what it awaits, a gather() its children, and so on.
///
/// What a coroutine needs changes while the worker sleeps. The search watches each one that it
/// passes: the worker marks the state, then reads its needs, under the mutex that guards those; who
/// changes them does so under that mutex, then reads the mark. So one of the two sees the other.
///
/// Runs in: the worker, but for changed().
class NeedSearch {
 public:
  NeedSearch() noexcept = default;
  NeedSearch(const NeedSearch&) = delete;
  NeedSearch& operator=(const NeedSearch&) = delete;

  /// Runs what `awaited` needs, itself to begin with, until enough(). False: nothing was run.
  bool help(FutureState& awaited);
  /// Watches nothing any more.
  void unwatch() noexcept;

  // -- for FutureState::find_needs()
  /// The needs of `state`, which are read after this, may change.
  void watch(FutureState& state);
  /// One of them.
  void add(StateRef<FutureState> need) { found_.push_back(std::move(need)); }

  /// Runs in: any thread. Tells all searches that watch `state`.
  static void tell(FutureState& state) noexcept;
  /// Runs in: the child of a fork(), searches_mutex() held.
  static void forget_all() noexcept;

 protected:
  /// unwatch() first: changed() may be running.
  ~NeedSearch() = default;

 private:
  /// Runs in: any thread, searches_mutex() held. What a watched state needs has changed.
  virtual void changed() noexcept = 0;
  /// The worker waits no more.
  virtual bool enough() = 0;

  void look(FutureState& awaited);
  bool run_found();

  std::vector<StateRef<FutureState>> found_;  // by the last look, in the order of their finding
  // Guarded by searches_mutex(), as next_. Only compared: what was watched may be gone.
  std::unordered_set<const FutureState*> watched_;
  NeedSearch* next_ = nullptr;  // in the list of those that watch something
};

}  // namespace plait::detail
