// Makes a job out of a call and hands it to an executor's core.
#pragma once

#include <type_traits>
#include <utility>

#include <plait/core/future.hpp>
#include <plait/executors/detail/coroutine_item.hpp>
#include <plait/executors/detail/executor_core.hpp>
#include <plait/executors/detail/work_item.hpp>

namespace plait::detail {

/// The job that fn(args...) makes: one that runs a coroutine if it gives one.
template <class Name, class F, class... A>
using JobItem = std::conditional_t<
    JobResult<CallResult<F, A...>>::is_coroutine,
    CoroutineItem<SubmitResult<F, A...>, Name, std::decay_t<F>, std::decay_t<A>...>,
    WorkItem<SubmitResult<F, A...>, Name, std::decay_t<F>, std::decay_t<A>...>>;

/// Makes a job of fn(args...) and submits it to `core`.
template <class Name, class F, class... A>
Future<SubmitResult<F, A...>> submit_job(ExecutorCore& core, const SubmitOptions& options,
                                         Name name, F&& fn, A&&... args) {
  using Item = JobItem<Name, F, A...>;
  // The item is made with two references: one for the future, one for the queue.
  auto* const item =
      new Item(&core, std::move(name), std::forward<F>(fn), std::forward<A>(args)...);
  auto future = make_future(StateRef<ValueState<SubmitResult<F, A...>>>::adopt(item));
  core.enqueue(JobRef::adopt(item), options);
  return future;
}

}  // namespace plait::detail
