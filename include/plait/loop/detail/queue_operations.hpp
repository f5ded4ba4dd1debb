// The operations in which tasks wait for a queue.
#pragma once

#include <exception>
#include <string>
#include <type_traits>
#include <utility>

#include <plait/core/detail/fiber.hpp>
#include <plait/core/detail/frame_memory.hpp>
#include <plait/loop/detail/queue_gate.hpp>

namespace plait::aio {
template <class T>
class Queue;
}

namespace plait::detail {

struct NotRecycled {};

/// The base that gives an operation with a T in it its memory: what is recycled cannot be
/// over-aligned.
template <class Op, class T>
using MemoryFor = std::conditional_t<(alignof(T) > 16), NotRecycled, Recycled<Op>>;

/// What get() and put() have in common. `R` is their result.
template <class R>
class QueueOperation : public Operation<R>, public QueueWaiter {
 public:
  void wake() noexcept final { this->fiber->wake(); }
  void refuse(std::exception_ptr error) noexcept final { this->result.set_error(std::move(error)); }
  Interrupted interrupt() noexcept final {
    unlink();
    return Interrupted::gave_up;
  }
};

/// Queue::get() that waits until an item is kept for it.
template <class T>
class QueueGet final : public QueueOperation<T>, public MemoryFor<QueueGet<T>, T> {
 public:
  explicit QueueGet(aio::Queue<T>& queue) noexcept : queue_(queue) {}
  ~QueueGet() override { pass_turn_on(); }

  bool ready() override {
    QueueGate& gate = queue_.gate_;
    gate.check_get();
    if (gate.available() > 0) {
      this->result.set_value(queue_.get_item());
      return true;
    }
    gate.bind();
    return false;
  }
  void suspend() noexcept override {
    queue_.gate_.wait_to_get(*this);
    this->fiber->suspend_for_grant(*this, *this);
  }
  void accept() noexcept override {
    if (!this->has_turn) return;
    queue_.gate_.end_get_turn(*this);
    try {
      this->result.set_value(queue_.get_item());
    } catch (...) {
      this->result.set_error(std::current_exception());
      queue_.gate_.give_turns();
    }
  }
  void fail(std::exception_ptr error) noexcept override {
    pass_turn_on();
    Operation<T>::fail(std::move(error));
  }
  std::string what() const override { return "Queue.get()"; }

 private:
  void pass_turn_on() noexcept {
    if (!this->has_turn) return;
    queue_.gate_.end_get_turn(*this);
    queue_.gate_.give_turns();
  }

  aio::Queue<T>& queue_;
};

/// Queue::put() that waits, with its item, until a place is kept for it.
template <class T>
class QueuePut final : public QueueOperation<void>, public MemoryFor<QueuePut<T>, T> {
 public:
  QueuePut(aio::Queue<T>& queue, T&& item) : queue_(queue), item_(std::move(item)) {}
  ~QueuePut() override { pass_turn_on(); }

  bool ready() override {
    QueueGate& gate = queue_.gate_;
    gate.check_put();
    if (gate.has_room()) {
      queue_.put_item(std::move(item_));
      return true;
    }
    gate.bind();
    return false;
  }
  void suspend() noexcept override {
    queue_.gate_.wait_to_put(*this);
    fiber->suspend_for_grant(*this, *this);
  }
  void accept() noexcept override {
    if (!has_turn) return;
    queue_.gate_.end_put_turn(*this);
    try {
      queue_.put_item(std::move(item_));
    } catch (...) {
      result.set_error(std::current_exception());
      queue_.gate_.give_turns();
    }
  }
  void fail(std::exception_ptr error) noexcept override {
    pass_turn_on();
    Operation<void>::fail(std::move(error));
  }
  std::string what() const override { return "Queue.put()"; }

 private:
  void pass_turn_on() noexcept {
    if (!has_turn) return;
    queue_.gate_.end_put_turn(*this);
    queue_.gate_.give_turns();
  }

  aio::Queue<T>& queue_;
  T item_;
};

}  // namespace plait::detail
