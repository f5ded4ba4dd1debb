// fork_join: many small coroutines at once, on all threads of a pool.
#pragma once

#include <array>
#include <concepts>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <tuple>
#include <utility>
#include <vector>

#include <plait/core/coroutine.hpp>
#include <plait/core/detail/coroutine_job.hpp>
#include <plait/loop/gather.hpp>

namespace plait::detail {

/// What a forked coroutine has ended with. Its error was looked after before.
template <class T>
aio::NonVoid<T> take_value(TypedFrame<T>& child) {
  if constexpr (std::is_void_v<T>) {
    return {};
  } else {
    return child.result.value();
  }
}
template <class T>
aio::NonVoid<T> take_value(Outcome<T>&& outcome) {
  if constexpr (std::is_void_v<T>) {
    outcome.value();
    return {};
  } else {
    return std::move(outcome).value();
  }
}

/// The children of fork_join(children...).
template <class... T>
class ForkedTuple {
 public:
  using Result = std::tuple<aio::NonVoid<T>...>;

  explicit ForkedTuple(Coroutine<T>&&... children)
      : frames_{{&frame_of(children)...}}, children_(std::move(children)...) {}

  static constexpr bool empty() noexcept { return sizeof...(T) == 0; }
  const auto& frames() const noexcept { return frames_; }
  std::exception_ptr first_error() noexcept {
    std::exception_ptr error;
    std::apply(
        [&](auto&... child) {
          (void)(... || (frame_in(child).result.failed() &&
                         (error = frame_in(child).result.take_error())));
        },
        children_);
    return error;
  }
  Result results() {
    return std::apply([](auto&... child) { return Result(take_value(frame_in(child))...); },
                      children_);
  }
  /// As tasks of the running loop.
  static Coroutine<Result> run_as_tasks(std::tuple<Coroutine<T>...> children) {
    auto all = std::apply(
        [](auto&... child) { return aio::gather(aio::return_exceptions, std::move(child)...); },
        children);
    auto outcomes = co_await std::move(all);
    co_return std::apply([](auto&... outcome) { return Result{take_value(std::move(outcome))...}; },
                         outcomes);
  }
  Coroutine<Result> as_tasks() && { return run_as_tasks(std::move(children_)); }

 private:
  struct FrameArray {
    static constexpr std::size_t size() noexcept { return sizeof...(T); }
    Frame& operator[](std::size_t i) const noexcept { return *frames[i]; }
    std::array<Frame*, sizeof...(T)> frames;
  };

  const FrameArray frames_;  // kept: to find them again in the tuple takes longer
  std::tuple<Coroutine<T>...> children_;
};

/// The children of fork_join(a vector).
template <class T>
class ForkedVector {
 public:
  using Result = std::vector<aio::NonVoid<T>>;

  explicit ForkedVector(std::vector<Coroutine<T>>&& children) : children_(std::move(children)) {
    for (const auto& child : children_) (void)frame_of(child);
  }

  bool empty() const noexcept { return children_.empty(); }
  /// To be used at once.
  auto frames() const noexcept { return Frames{children_}; }
  std::exception_ptr first_error() noexcept {
    for (const auto& child : children_) {
      if (frame_in(child).result.failed()) return frame_in(child).result.take_error();
    }
    return nullptr;
  }
  Result results() {
    Result results;
    results.reserve(children_.size());
    for (const auto& child : children_) results.push_back(take_value(frame_in(child)));
    return results;
  }
  /// As tasks of the running loop.
  static Coroutine<Result> run_as_tasks(std::vector<Coroutine<T>> children) {
    auto all = aio::gather(aio::return_exceptions, std::move(children));
    auto outcomes = co_await std::move(all);
    Result results;
    results.reserve(outcomes.size());
    for (auto& outcome : outcomes) results.push_back(take_value(std::move(outcome)));
    co_return results;
  }
  Coroutine<Result> as_tasks() && { return run_as_tasks(std::move(children_)); }

 private:
  struct Frames {
    std::size_t size() const noexcept { return children.size(); }
    Frame& operator[](std::size_t i) const noexcept { return frame_in(children[i]); }
    const std::vector<Coroutine<T>>& children;
  };

  std::vector<Coroutine<T>> children_;
};

/// Waits for all of `Children`: on an executor by a Fork, on a loop as tasks.
template <class Children>
class ForkAwaiter {
 public:
  explicit ForkAwaiter(Children& children) noexcept : children_(children) {}
  ForkAwaiter(ForkAwaiter&&) = delete;

  bool await_ready() const noexcept { return children_.empty(); }
  template <std::derived_from<Frame> Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> awaiting) {
    Frame& parent = awaiting.promise();
    if (execution.fiber) [[unlikely]]
      return start_on_loop(parent);
    const auto& frames = children_.frames();
    if (execution.job->cancel_requested()) [[unlikely]]
      Fork::throw_cancelled(parent);
    for (std::size_t i = 0; i < frames.size(); ++i) {
      if (frames[i].is_operation()) [[unlikely]]
        throw_needs_loop(frames[i].operation());
    }
    return fork_.start(parent, frames);
  }
  typename Children::Result await_resume() {
    if (on_loop_) [[unlikely]]
      return on_loop_->result.take();
    if (auto error = children_.first_error()) [[unlikely]]
      fork_.rethrow(std::move(error));
    return children_.results();
  }
  ~ForkAwaiter() {
    if (on_loop_) [[unlikely]]
      destroy_frame(*on_loop_);
  }

 private:
  using Result = typename Children::Result;

  [[gnu::noinline]] std::coroutine_handle<> start_on_loop(Frame& parent) {
    auto tasks = std::move(children_).as_tasks();
    on_loop_ = &release_frame(tasks);
    on_loop_->await_by(parent);
    return transfer_to(*on_loop_);
  }

  Children& children_;
  Fork fork_;
  TypedFrame<Result>* on_loop_ = nullptr;  // owned: what makes tasks of the children
};

/// What fork_join() returns; to be awaited where it stands.
template <class Children>
class [[nodiscard]] ForkJoin {
 public:
  template <class... C>
  explicit ForkJoin(std::in_place_t, C&&... children) : children_(std::forward<C>(children)...) {}
  ForkJoin(ForkJoin&&) = delete;

  ForkAwaiter<Children> operator co_await() && noexcept { return ForkAwaiter<Children>(children_); }

 private:
  Children children_;
};

}  // namespace plait::detail

namespace plait::aio {

/// Runs the children at once and gives all their results: `co_await fork_join(a(), b())`.
///
/// gather()'s structured form for many small coroutines: awaited where it stands, it makes neither
/// futures nor tasks. In a coroutine on a pool the children wait in the thread's own queue, where
/// the pool's other threads steal them; what nobody steals runs here, in the order of the
/// arguments. It ends when all children have ended; then the first error, in that order, is thrown,
/// the others are dropped. On a loop the children are tasks, on an InlineExecutor they run in turn.
/// Void results become std::monostate.
///
/// **Python:** none. **Threads:** a coroutine's, on an executor or a loop. **Cancellation:**
/// request_stop() of the pool's future, or cancel() of the loop's task, ends it as every other
/// await, once all children have ended, which see the request, too.
template <class... T>
auto fork_join(Coroutine<T>... children) {
  return detail::ForkJoin<detail::ForkedTuple<T...>>(std::in_place, std::move(children)...);
}
/// As above, for any number of coroutines of one type.
template <class T>
auto fork_join(std::vector<Coroutine<T>> children) {
  return detail::ForkJoin<detail::ForkedVector<T>>(std::in_place, std::move(children));
}

}  // namespace plait::aio
