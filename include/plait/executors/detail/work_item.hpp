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

/// The T of the Future<T> that submit(fn, args...) returns.
template <class F, class... A>
using SubmitResult = std::remove_cvref_t<typename submit_result<F, A...>::type>;

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
  std::string describe(const std::type_info&) const { return "job '" + text + "'"; }
  std::string text;
};

/// Stands where a callable takes no stop token.
struct NoStopSource {
  static constexpr bool request_stop() { return true; }
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
        call_(std::forward<F>(fn), std::forward<A>(args)...) {}

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

  void discard() noexcept override { std::destroy_at(std::addressof(call_)); }
  bool stop() noexcept override {
    stop_source_.request_stop();
    return true;
  }
  std::string describe() const override { return name_.describe(typeid(Fn)); }

 private:
  using Stored = typename ValueState<T>::Stored;
  static constexpr bool takes_stop_token = !std::invocable<Fn, Args...>;

  ~WorkItem() override {
    // A job that was refused by the executor never ran and was never cancelled.
    if (this->snapshot().phase() == Phase::pending) discard();
  }

  Stored call() {
    if constexpr (takes_stop_token) {
      return std::apply(
          [this](Fn& fn, Args&... args) -> Stored {
            return invoke_stored(std::move(fn), stop_source_.get_token(), std::move(args)...);
          },
          call_);
    } else {
      return std::apply(
          [](Fn& fn, Args&... args) -> Stored {
            return invoke_stored(std::move(fn), std::move(args)...);
          },
          call_);
    }
  }
  template <class... A>
  static Stored invoke_stored(Fn&& fn, A&&... args) {
    if constexpr (std::is_void_v<T>) {
      std::invoke(std::move(fn), std::forward<A>(args)...);
      return Stored();
    } else {
      return std::invoke(std::move(fn), std::forward<A>(args)...);
    }
  }

  [[no_unique_address]] Name name_;
  [[no_unique_address]] std::conditional_t<takes_stop_token, std::stop_source, NoStopSource>
      stop_source_;
  union {
    std::tuple<Fn, Args...> call_;  // alive while pending and running
  };
};

}  // namespace plait::detail
