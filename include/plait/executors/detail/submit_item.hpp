// Makes a job and hands it to an executor's core.
#pragma once

#include <utility>

#include <plait/core/future.hpp>
#include <plait/executors/detail/executor_core.hpp>

namespace plait::detail {

/// Makes an Item of `args`, whose future is a Future<T>, and submits it to `core`.
template <class T, class Item, class... Args>
Future<T> submit_item(ExecutorCore& core, const SubmitOptions& options, Args&&... args) {
  // The item is made with two references: one for the future, one for the queue.
  auto* const item = new Item(&core, std::forward<Args>(args)...);
  auto future = make_future(StateRef<ValueState<T>>::adopt(item));
  core.enqueue(JobRef::adopt(item), options, item->remote());
  return future;
}

}  // namespace plait::detail
