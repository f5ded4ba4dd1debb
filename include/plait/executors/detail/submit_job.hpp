// Makes a job out of a call and hands it to an executor's core.
#pragma once

#include <type_traits>
#include <utility>

#include <plait/core/future.hpp>
#include <plait/executors/detail/executor_core.hpp>
#include <plait/executors/detail/work_item.hpp>

namespace plait::detail {

/// Makes the Item of fn(args...), whose future is a Future<T>, and submits it to `core`.
template <class T, class Item, class Name, class F, class... A>
Future<T> submit_item(ExecutorCore& core, const SubmitOptions& options, Name name, F&& fn,
                      A&&... args) {
  // The item is made with two references: one for the future, one for the queue.
  auto* const item =
      new Item(&core, std::move(name), std::forward<F>(fn), std::forward<A>(args)...);
  auto future = make_future(StateRef<ValueState<T>>::adopt(item));
  core.enqueue(JobRef::adopt(item), options);
  return future;
}

/// As above, for a plain function: one chunk of map().
template <class F>
Future<SubmitResult<F>> submit_job(ExecutorCore& core, F&& fn) {
  using T = SubmitResult<F>;
  return submit_item<T, WorkItem<T, NoName, std::decay_t<F>>>(core, SubmitOptions(), NoName(),
                                                              std::forward<F>(fn));
}

}  // namespace plait::detail
