// Queue, PriorityQueue and LifoQueue: tasks of one loop hand items to each other.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <functional>
#include <utility>

#include <plait/core/coroutine.hpp>
#include <plait/core/errors.hpp>
#include <plait/loop/detail/queue_gate.hpp>
#include <plait/loop/detail/queue_operations.hpp>

namespace plait::aio {

/// get_nowait() found no item. **Python:** asyncio.QueueEmpty.
struct QueueEmpty : Error {
  using Error::Error;
};

/// put_nowait() found no room. **Python:** asyncio.QueueFull.
struct QueueFull : Error {
  using Error::Error;
};

/// The queue was shut down. **Python:** asyncio.QueueShutDown.
struct QueueShutDown : Error {
  using Error::Error;
};

/// Items that tasks of one loop hand to each other: first in, first out.
///
/// Who waits is served first come, first served. An item that a waiting get() was woken for is no
/// longer counted by qsize(), though it leaves the queue when that task resumes; so what empty()
/// and full() say holds until the next await. T has to be movable, no more.
///
/// **Python:** asyncio.Queue. **Threads:** those of one loop, that of the first task that had to
/// wait; RuntimeError elsewhere. From other threads: call_soon_threadsafe(), with put_nowait().
/// **Cancellation:** get() has then taken no item, and put() has put none; the turn of a cancelled
/// task goes to the next. A get() that is cancelled just after it was woken gives its item back,
/// and if its place was taken meanwhile, the queue holds one more than `maxsize` for a while.
template <class T>
class Queue {
 public:
  /// A queue in which put() waits while there are `maxsize` items; 0: never.
  explicit Queue(std::size_t maxsize = 0) : gate_(maxsize) {}
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;
  /// Who still waits gets RuntimeError.
  virtual ~Queue() = default;

  /// Waits for room, and puts `item` in. @throws QueueShutDown
  Coroutine<> put(T item);
  /// Waits for an item, and takes it out.
  /// @throws QueueShutDown if the queue was shut down and is empty
  Coroutine<T> get();
  /// As put(), at once. @throws QueueFull, QueueShutDown
  void put_nowait(T item);
  /// As get(), at once. @throws QueueEmpty, QueueShutDown
  T get_nowait();

  /// How many items are there for the next who asks.
  std::size_t qsize() const noexcept { return gate_.available(); }
  /// How many items it takes; 0: any number.
  std::size_t maxsize() const noexcept { return gate_.max_items(); }
  /// get_nowait() would find nothing.
  bool empty() const noexcept { return gate_.available() == 0; }
  /// put_nowait() would find no room; never without a maxsize.
  bool full() const noexcept { return !gate_.has_room(); }

  /// Waits until task_done() was called for every item that was put in.
  Coroutine<> join();
  /// The work on one item that came out is done. @throws std::invalid_argument if called too often
  void task_done() { gate_.task_done(); }
  /// Makes put() throw from now on, and get() once the queue is empty, also for those who wait.
  ///
  /// `immediate`: the items are dropped, and counted as done.
  void shutdown(bool immediate = false);

 private:
  friend class detail::QueueGet<T>;
  friend class detail::QueuePut<T>;

  /// The order of the items is what derived classes change.
  virtual void store(std::deque<T>& items, T&& item) { items.push_back(std::move(item)); }
  virtual T fetch(std::deque<T>& items);

  void put_item(T&& item) {
    store(items_, std::move(item));
    gate_.came_in();
  }
  T get_item() {
    T item = fetch(items_);
    gate_.went_out();
    return item;
  }

  std::deque<T> items_;
  detail::QueueGate gate_;
};

/// A Queue that gives its smallest item first, as `Less` orders them; equal ones in any order.
///
/// **Python:** asyncio.PriorityQueue. **Threads:** as Queue. **Cancellation:** as Queue.
template <class T, class Less = std::less<T>>
class PriorityQueue : public Queue<T> {
 public:
  using Queue<T>::Queue;

 private:
  // The largest of a heap comes out first.
  static bool after(const T& a, const T& b) { return Less()(b, a); }

  void store(std::deque<T>& items, T&& item) override {
    items.push_back(std::move(item));
    std::ranges::push_heap(items, after);
  }
  T fetch(std::deque<T>& items) override {
    std::ranges::pop_heap(items, after);
    T item = std::move(items.back());
    items.pop_back();
    return item;
  }
};

/// A Queue that gives its newest item first.
///
/// **Python:** asyncio.LifoQueue. **Threads:** as Queue. **Cancellation:** as Queue.
template <class T>
class LifoQueue : public Queue<T> {
 public:
  using Queue<T>::Queue;

 private:
  T fetch(std::deque<T>& items) override {
    T item = std::move(items.back());
    items.pop_back();
    return item;
  }
};

// Implementation

template <class T>
Coroutine<> Queue<T>::put(T item) {
  return detail::make_coroutine<void>(new detail::QueuePut<T>(*this, std::move(item)));
}

template <class T>
Coroutine<T> Queue<T>::get() {
  return detail::make_coroutine<T>(new detail::QueueGet<T>(*this));
}

template <class T>
void Queue<T>::put_nowait(T item) {
  gate_.check_put();
  if (!gate_.has_room()) gate_.throw_full();
  put_item(std::move(item));
}

template <class T>
T Queue<T>::get_nowait() {
  gate_.check_get();
  if (gate_.available() == 0) gate_.throw_empty();
  return get_item();
}

template <class T>
Coroutine<> Queue<T>::join() {
  return detail::make_coroutine<void>(
      new detail::SignalWait<void>(gate_.finished(), "Queue.join()"));
}

template <class T>
void Queue<T>::shutdown(bool immediate) {
  std::deque<T> dropped;  // destroyed last: that may call anything
  gate_.shut_down(immediate);
  if (immediate) dropped.swap(items_);
}

template <class T>
T Queue<T>::fetch(std::deque<T>& items) {
  T item = std::move(items.front());
  items.pop_front();
  return item;
}

}  // namespace plait::aio
