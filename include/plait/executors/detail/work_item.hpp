// A job in one allocation: the callable with its arguments, the future's state and the result.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include <plait/core/detail/value_state.hpp>
#include <plait/executors/detail/remote_hook.hpp>

namespace plait {

/// What a callable submitted to an executor returns, undecayed: fn(args...), or where that cannot
/// be called, fn(std::stop_token, args...).
template <class F, class... A>
struct submit_result {};
template <class F, class... A>
  requires std::invocable<std::decay_t<F>, std::decay_t<A>...>
struct submit_result<F, A...> {
  using type = std::invoke_result_t<std::decay_t<F>, std::decay_t<A>...>;
};
template <class F, class... A>
  requires(std::invocable<std::decay_t<F>, std::stop_token, std::decay_t<A>...> &&
           !std::invocable<std::decay_t<F>, std::decay_t<A>...>)
struct submit_result<F, A...> {
  using type = std::invoke_result_t<std::decay_t<F>, std::stop_token, std::decay_t<A>...>;
};

template <class T>
class Coroutine;

}  // namespace plait

namespace plait::detail {

/// What becomes of a call's result: the result of a coroutine, once it was run, else itself.
template <class R>
struct JobResult {
  using type = R;
  static constexpr bool is_coroutine = false;
};
template <class T>
struct JobResult<Coroutine<T>> {
  using type = T;
  static constexpr bool is_coroutine = true;
};

/// What fn(args...) returns, decayed.
template <class F, class... A>
using CallResult = std::remove_cvref_t<typename submit_result<F, A...>::type>;
/// A function whose result is a coroutine.
template <class F, class... A>
concept CoroutineFunction = JobResult<CallResult<F, A...>>::is_coroutine;

}  // namespace plait::detail

namespace plait {

/// The T of the Future<T> that submit(fn, args...) returns; a Coroutine<T> is run.
template <class F, class... A>
using SubmitResult = typename detail::JobResult<detail::CallResult<F, A...>>::type;

}  // namespace plait

namespace plait::detail {

/// "unnamed job of type ...", for messages about a job whose submitter gave no name.
std::string describe_unnamed(const std::type_info& callable);

/// The name of a job that has none.
struct NoName {
  std::string describe(const std::type_info& callable) const { return describe_unnamed(callable); }
};

/// The name that SubmitOptions gave.
struct JobName {
  std::string describe(const std::type_info& callable) const {
    return text.empty() ? describe_unnamed(callable) : "job '" + text + "'";
  }
  std::string text;
};

/// What messages call a callable of the type Fn; specialised for those that wrap another one.
template <class Fn>
inline const std::type_info& named_type = typeid(Fn);

/// Stands where a callable takes no stop token.
struct NoStopSource {
  static constexpr bool request_stop() { return true; }
};

/// A callable with its arguments, all decayed.
template <class Fn, class... Args>
class BoundCall {
 public:
  /// What stop requests reach it by.
  using StopSource =
      std::conditional_t<std::invocable<Fn, Args...>, NoStopSource, std::stop_source>;

  template <class F, class... A>
  explicit BoundCall(std::in_place_t, F&& fn, A&&... args)
      : call_(std::forward<F>(fn), std::forward<A>(args)...) {}

  /// Callable and arguments.
  const std::tuple<Fn, Args...>& bound() const noexcept { return call_; }
  /// Calls it, once.
  decltype(auto) operator()([[maybe_unused]] StopSource& stop_source) {
    return std::apply(
        [&](Fn& fn, Args&... args) -> decltype(auto) {
          if constexpr (std::invocable<Fn, Args...>) {
            return std::invoke(std::move(fn), std::move(args)...);
          } else {
            return std::invoke(std::move(fn), stop_source.get_token(), std::move(args)...);
          }
        },
        call_);
  }

 private:
  std::tuple<Fn, Args...> call_;
};

/// One submitted call. Fn and Args are decayed; they are destroyed as soon as the call has
/// returned, or the job was cancelled, so that nothing they hold lives as long as the future.
template <class T, class Name, class Fn, class... Args>
class WorkItem final : public ValueState<T> {
 public:
  template <class F, class... A>
  WorkItem(JobOwner* owner, Name name, F&& fn, A&&... args)
      : ValueState<T>(owner, 2),
        name_(std::move(name)),
        call_(std::in_place, std::forward<F>(fn), std::forward<A>(args)...) {}

  Phase invoke() noexcept override {
    Phase phase = Phase::finished;
    try {
      this->emplace_with([this] { return call(); });
    } catch (...) {
      phase = this->store_error(capture_exception());
    }
    discard();
    return phase;
  }

  RemoteJob remote() const noexcept { return {remote_call_of<T, Fn, Args...>, &call_.bound()}; }
  void discard() noexcept override { std::destroy_at(std::addressof(call_)); }
  bool stop() noexcept override {
    stop_source_.request_stop();
    return true;
  }
  std::string describe() const override { return name_.describe(named_type<Fn>); }

 private:
  using Call = BoundCall<Fn, Args...>;
  using Stored = typename ValueState<T>::Stored;

  ~WorkItem() override {
    // A job that was refused by the executor never ran and was never cancelled.
    if (this->snapshot().phase() == Phase::pending) discard();
  }

  Stored call() {
    if constexpr (std::is_void_v<T>) {
      call_(stop_source_);
      return Stored();
    } else {
      return call_(stop_source_);
    }
  }

  [[no_unique_address]] Name name_;
  [[no_unique_address]] typename Call::StopSource stop_source_;
  union {
    Call call_;  // alive while pending and running
  };
};

}  // namespace plait::detail
