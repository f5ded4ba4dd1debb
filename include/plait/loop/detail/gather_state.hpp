// The state behind the future of gather().
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <exception>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <plait/core/outcome.hpp>
#include <plait/executors/detail/submit_job.hpp>
#include <plait/loop/awaitable.hpp>
#include <plait/loop/detail/watch_list.hpp>

namespace plait::detail {

/// Where a gather() runs coroutines: in a loop, as tasks, or on an executor, as jobs.
struct GatherPlace {
  LoopCore* loop = nullptr;          ///< null: on the executor
  ExecutorCore* executor = nullptr;  ///< null: in the loop
};
/// The place of what this thread runs. Throws RuntimeError where there is none.
GatherPlace running_place();

template <class T>
StateRef<FutureState> to_state(const GatherPlace& place, Coroutine<T>&& coro,
                               const char* function) {
  if (place.loop) return to_state(*place.loop, std::move(coro), function);
  return release_state(
      submit_coroutine(*place.executor, SubmitOptions(), NoName(), std::move(coro)));
}

/// The part of a gather() that does not depend on the results. One of the state's references is its
/// own, until all children have ended.
class GatherBase : public WatchList {
 public:
  GatherBase(const GatherPlace& place, FutureState& self, bool catches)
      : WatchList(place.loop), place_(place), self_(self), catches_(catches) {}

  /// Runs in: any thread. Adds the children.
  void find_children(NeedSearch& search) const;
  /// Runs in: any thread. Cancels all children; true if one of them was not done.
  bool cancel_children(std::string_view message) noexcept;
  std::string describe_gather() const;

 protected:
  ~GatherBase() = default;

  const GatherPlace& place() const noexcept { return place_; }

  /// Watches the children. They and their number are const from now on.
  void start_children(std::span<Watch> children) noexcept {
    children_ = children;
    start(children);
  }

 private:
  /// Makes the result of what the children ended with; the phase that end() has to be given.
  virtual Phase collect() = 0;

  void child_ended(Watch& watch) noexcept final;
  void all_ended() noexcept final;
  void abandoned() noexcept final;
  FutureState* awaited_for() const noexcept final { return &self_; }
  Phase result() noexcept;

  const GatherPlace place_;  // valid while the children are started
  FutureState& self_;
  const bool catches_;  // the children's errors are results
  std::span<Watch> children_;
  // Set by any thread that cancels; read by the loop when all children have ended.
  std::atomic<bool> cancel_requested_{false};
};

/// How one child ended, as an element of the result.
template <class T, bool catches>
auto take_outcome(FutureState& child, bool exclusive) {
  if constexpr (!catches) {
    return take_value<T>(child, exclusive);
  } else if (child.retrieve_error() || child.snapshot().phase() == Phase::cancelled) {
    return Outcome<T>(child.error());
  } else if constexpr (std::is_void_v<T>) {
    return Outcome<T>(std::in_place);
  } else {
    return Outcome<T>(std::in_place, take_value<T>(child, exclusive));
  }
}
template <class A, bool catches>
using GatheredFrom =
    std::conditional_t<catches, Outcome<aio::Awaited<A>>, aio::NonVoid<aio::Awaited<A>>>;

/// A gather() with the result R, made of `Children`, a container of watches, by `Derived`.
template <class R, class Children, class Derived>
class GatherState : public ValueState<R>, public GatherBase {
 public:
  bool cancel(std::string_view message = {}) noexcept final { return cancel_children(message); }
  void find_needs(NeedSearch& search) final { find_children(search); }
  std::string describe() const final { return describe_gather(); }

 protected:
  template <class... Size>
  GatherState(const GatherPlace& place, bool catches, Size... size)
      : ValueState<R>(place.loop, 2, place.loop ? of_loop : Flag{}),
        GatherBase(place, *this, catches),
        children_(size...) {}
  ~GatherState() override = default;

  Children children_;  // const after construction

 private:
  Phase collect() final {
    this->emplace_with([this] { return static_cast<Derived*>(this)->results(); });
    return Phase::finished;
  }
};

/// gather(awaitables...)
template <bool catches, class... A>
class TupleGather final
    : public GatherState<std::tuple<GatheredFrom<A, catches>...>,
                         std::array<WatchList::Watch, sizeof...(A)>, TupleGather<catches, A...>> {
 public:
  using Result = std::tuple<GatheredFrom<A, catches>...>;

  explicit TupleGather(const GatherPlace& place) : TupleGather::GatherState(place, catches) {}
  void begin(A&&... awaitables) {
    [[maybe_unused]] auto* child = this->children_.data();
    (...,
     this->set_state(*child++, to_state(this->place(), std::forward<A>(awaitables), "gather()"),
                     "gather()"));
    this->start_children(this->children_);
  }
  Result results() {
    return [this]<std::size_t... place>(std::index_sequence<place...>) {
      return Result(take_outcome<aio::Awaited<A>, catches>(this->children_[place].state(),
                                                           makes_task<std::remove_cvref_t<A>>)...);
    }(std::index_sequence_for<A...>());
  }
};

/// gather(a vector of awaitables)
template <bool catches, class A>
class VectorGather final
    : public GatherState<std::vector<GatheredFrom<A, catches>>, std::vector<WatchList::Watch>,
                         VectorGather<catches, A>> {
 public:
  using Result = std::vector<GatheredFrom<A, catches>>;

  VectorGather(const GatherPlace& place, std::size_t size)
      : VectorGather::GatherState(place, catches, size) {}
  void begin(std::vector<A> awaitables) {
    auto* child = this->children_.data();
    for (A& awaitable : awaitables) {
      this->set_state(*child++, to_state(this->place(), std::move(awaitable), "gather()"),
                      "gather()");
    }
    this->start_children(this->children_);
  }
  Result results() {
    Result results;
    results.reserve(this->children_.size());
    for (const auto& child : this->children_) {
      results.push_back(take_outcome<aio::Awaited<A>, catches>(child.state(), makes_task<A>));
    }
    return results;
  }
};

/// Starts a gather and gives its future.
template <class Gather, class Result, class... A>
Future<Result> start_gather(Gather* gather, A&&... awaitables) {
  auto future = make_future(StateRef<ValueState<Result>>::adopt(gather));
  auto own = StateRef<FutureState>::adopt(gather);
  gather->begin(std::forward<A>(awaitables)...);
  own.detach();
  return future;
}

}  // namespace plait::detail
