// Makes a job out of a call and hands it to an executor's core.
#pragma once

#include <type_traits>
#include <utility>

#include <plait/core/future.hpp>
#include <plait/executors/detail/executor_core.hpp>
#include <plait/executors/detail/work_item.hpp>

namespace plait::detail {

/// Submits fn(args...) to `core`; what Executor::submit() and map() share.
template <class Name, class F, class... A>
Future<SubmitResult<F, A...>> submit_job(ExecutorCore& core, const SubmitOptions& options,
                                         Name name, F&& fn, A&&... args) {
  using T = SubmitResult<F, A...>;
  // The item is made with two references: one for the future, one for the queue.
  auto* const item = new WorkItem<T, Name, std::decay_t<F>, std::decay_t<A>...>(
      &core, std::move(name), std::forward<F>(fn), std::forward<A>(args)...);
  auto future = make_future(StateRef<ValueState<T>>::adopt(item));
  core.enqueue(JobRef::adopt(item), options);
  return future;
}

}  // namespace plait::detail
