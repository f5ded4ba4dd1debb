// The handles that a loop runs next, first in, first out.
#pragma once

#include <utility>

#include <plait/core/detail/runnable.hpp>

namespace plait::detail {

/// A FIFO that links its elements and never needs memory. One thread uses it.
class ReadyQueue {
 public:
  ReadyQueue() = default;
  ReadyQueue(const ReadyQueue&) = delete;
  ReadyQueue& operator=(const ReadyQueue&) = delete;

  bool empty() const noexcept { return first_ == nullptr; }
  /// The oldest; null: none.
  const Runnable* first() const noexcept { return first_; }
  /// The newest, while it is not empty.
  const Runnable* last() const noexcept { return last_; }

  void push(Runnable& work) noexcept {
    work.next_runnable = nullptr;
    (first_ ? last_->next_runnable : first_) = &work;
    last_ = &work;
  }

  /// The oldest; null: none.
  Runnable* pop() noexcept {
    Runnable* const work = first_;
    if (work) first_ = work->next_runnable;
    return work;
  }

 private:
  Runnable* first_ = nullptr;
  Runnable* last_ = nullptr;  // valid while there is a first
};

}  // namespace plait::detail
