// The handles that a loop runs next, first in, first out.
#pragma once

#include <utility>

#include <plait/core/detail/runnable.hpp>

namespace plait::detail {

/// A FIFO that links its elements and never needs memory. One thread uses it.
class ReadyQueue {
 public:
  ReadyQueue() = default;
  ReadyQueue(ReadyQueue&& other) noexcept { append(std::move(other)); }
  ReadyQueue& operator=(ReadyQueue&&) = delete;

  bool empty() const noexcept { return first_ == nullptr; }
  const Runnable* first() const noexcept { return first_; }

  void push(Runnable& work) noexcept {
    work.next_runnable = nullptr;
    *last_link_ = &work;
    last_link_ = &work.next_runnable;
  }

  /// The oldest; null: none.
  Runnable* pop() noexcept {
    Runnable* const work = first_;
    if (work) {
      first_ = work->next_runnable;
      if (!first_) last_link_ = &first_;
    }
    return work;
  }

  /// Moves all of `other`'s behind its own.
  void append(ReadyQueue&& other) noexcept {
    if (other.empty()) return;
    *last_link_ = std::exchange(other.first_, nullptr);
    last_link_ = std::exchange(other.last_link_, &other.first_);
  }

 private:
  Runnable* first_ = nullptr;
  Runnable** last_link_ = &first_;
};

}  // namespace plait::detail
