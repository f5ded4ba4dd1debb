// Makes a job out of a call and hands it to an executor's core.
#pragma once

#include <type_traits>
#include <utility>

#include <plait/executors/detail/coroutine_item.hpp>
#include <plait/executors/detail/submit_item.hpp>
#include <plait/executors/detail/work_item.hpp>

namespace plait::detail {

/// The job that fn(args...) makes: one that runs a coroutine if it gives one.
template <class Name, class F, class... A>
using JobItem = std::conditional_t<
    CoroutineFunction<F, A...>,
    CoroutineItem<SubmitResult<F, A...>, Name, std::decay_t<F>, std::decay_t<A>...>,
    WorkItem<SubmitResult<F, A...>, Name, std::decay_t<F>, std::decay_t<A>...>>;

/// Makes a job of fn(args...) and submits it to `core`.
template <class Name, class F, class... A>
Future<SubmitResult<F, A...>> submit_job(ExecutorCore& core, const SubmitOptions& options,
                                         Name name, F&& fn, A&&... args) {
  return submit_item<SubmitResult<F, A...>, JobItem<Name, F, A...>>(
      core, options, std::move(name), std::forward<F>(fn), std::forward<A>(args)...);
}

/// Gives a coroutine that was made before.
template <class T>
class HeldCoroutine {
 public:
  explicit HeldCoroutine(Coroutine<T>&& coroutine) noexcept : coroutine_(std::move(coroutine)) {}
  Coroutine<T> operator()() && noexcept { return std::move(coroutine_); }

 private:
  Coroutine<T> coroutine_;
};

/// Makes a job of a coroutine and submits it to `core`.
template <class T, class Name>
Future<T> submit_coroutine(ExecutorCore& core, const SubmitOptions& options, Name name,
                           Coroutine<T>&& coroutine) {
  return submit_job(core, options, std::move(name), HeldCoroutine<T>(std::move(coroutine)));
}

}  // namespace plait::detail
