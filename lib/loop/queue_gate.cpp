// Turns, shutdown and errors of a queue.
#include <plait/loop/detail/queue_gate.hpp>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

#include <plait/core/errors.hpp>
#include <plait/executors/register_exception.hpp>
#include <plait/loop/queue.hpp>

namespace plait::detail {
namespace {

// They come back from worker processes as what they are.
[[maybe_unused]] const bool travel = register_exception<aio::QueueEmpty>() &&
                                     register_exception<aio::QueueFull>() &&
                                     register_exception<aio::QueueShutDown>();

// They have been woken already.
void take_turns_back(WaiterList<QueueWaiter>& woken, const std::exception_ptr& error) noexcept {
  while (!woken.empty()) {
    QueueWaiter& waiter = woken.pop_front();
    waiter.has_turn = false;
    waiter.refuse(error);
  }
}

void refuse_line(WaiterList<QueueWaiter>& line, const std::exception_ptr& error) noexcept {
  while (!line.empty()) {
    QueueWaiter& waiter = line.pop_front();
    waiter.refuse(error);
    waiter.wake();
  }
}

std::exception_ptr shut_down_error() noexcept {
  try {
    throw aio::QueueShutDown("the queue was shut down");
  } catch (...) {
    return std::current_exception();
  }
}

}  // namespace

QueueGate::~QueueGate() {
  const bool alone =
      getters_.empty() && putters_.empty() && woken_getters_.empty() && woken_putters_.empty();
  if (!alone) refuse_all(destroyed_error("Queue"));
}

void QueueGate::refuse_all(const std::exception_ptr& error) noexcept {
  take_turns_back(woken_getters_, error);
  take_turns_back(woken_putters_, error);
  kept_items_ = kept_places_ = 0;
  refuse_line(getters_, error);
  refuse_line(putters_, error);
}

// What is kept for getters stays theirs, unless it is dropped.
void QueueGate::shut_down(bool immediate) {
  check_here();
  finished_.check_here();
  const auto error = shut_down_error();
  shut_down_ = true;
  take_turns_back(woken_putters_, error);
  kept_places_ = 0;
  refuse_line(getters_, error);
  refuse_line(putters_, error);
  if (!immediate) return;
  take_turns_back(woken_getters_, error);
  kept_items_ = 0;
  finish(std::min(unfinished_, std::exchange(items_, 0)));
}

void QueueGate::give_turns_to_waiting() noexcept {
  const auto give_turn = [](auto& line, auto& woken, std::size_t& kept) {
    QueueWaiter& next = line.pop_front();
    woken.push_back(next);
    next.has_turn = true;
    ++kept;
    next.wake();
  };
  while (!getters_.empty() && available() > 0) give_turn(getters_, woken_getters_, kept_items_);
  while (!putters_.empty() && has_room()) give_turn(putters_, woken_putters_, kept_places_);
}

void QueueGate::throw_empty() const { throw aio::QueueEmpty("the queue is empty"); }

void QueueGate::throw_full() const {
  throw aio::QueueFull("the queue is full: it has " + std::to_string(max_items_) + " items");
}

void QueueGate::throw_shut_down() const { std::rethrow_exception(shut_down_error()); }

void QueueGate::task_done() {
  if (unfinished_ == 0) {
    throw std::invalid_argument(
        "task_done() called too many times: once for each item that came out of the queue");
  }
  finished_.check_here();
  finish(1);
}

void QueueGate::finish(std::size_t count) noexcept {
  unfinished_ -= count;
  if (unfinished_ == 0) finished_.open();
}

}  // namespace plait::detail
