// Who may put into a queue and get out of it, and when: what does not depend on the items.
#pragma once

#include <cstddef>
#include <exception>

#include <plait/loop/detail/signal_line.hpp>
#include <plait/loop/detail/waiter_list.hpp>

namespace plait::detail {

/// A task that waits in Queue::get() or Queue::put().
class QueueWaiter : public WaiterLink {
 public:
  /// Its turn will never come, or is over, and this is what it ends with.
  virtual void refuse(std::exception_ptr error) noexcept = 0;
  /// Its turn has come, or was refused.
  virtual void wake() noexcept = 0;

  bool has_turn = false;  ///< an item or a place is kept for it; the gate counts it

 protected:
  ~QueueWaiter() = default;
};

/// The counts and lines of a queue.
///
/// A task that waits is woken once there is an item, or a place for one, and this is then kept for
/// it; it takes the item out or puts it in when it resumes. If it is cancelled before, the turn
/// goes to the next one, so nothing is lost, and nothing moves for a call that has failed.
/// Invariants: while somebody waits to get, every item is kept for another; while somebody waits to
/// put, every place is. Loop thread only.
class QueueGate {
 public:
  explicit QueueGate(std::size_t max_items) noexcept : max_items_(max_items) {}
  /// Those who still wait get RuntimeError.
  ~QueueGate();
  QueueGate(const QueueGate&) = delete;
  QueueGate& operator=(const QueueGate&) = delete;

  /// How many items it takes; 0: any number.
  std::size_t max_items() const noexcept { return max_items_; }
  /// The items that are kept for nobody.
  std::size_t available() const noexcept { return items_ - kept_items_; }
  bool has_room() const noexcept {
    return max_items_ == 0 || available() + kept_places_ < max_items_;
  }
  bool is_shut_down() const noexcept { return shut_down_; }

  /// @throws QueueShutDown after shutdown()
  void check_put() const {
    if (shut_down_) throw_shut_down();
    check_here();
  }
  /// @throws QueueShutDown after shutdown(), if there is no item
  void check_get() const {
    if (shut_down_ && available() == 0) throw_shut_down();
    check_here();
  }
  [[noreturn]] void throw_empty() const;
  [[noreturn]] void throw_full() const;

  // An item came in or went out, or a turn did not need its place or item.
  void came_in() noexcept {
    ++items_;
    ++unfinished_;
    finished_.close();
    give_turns();
  }
  void went_out() noexcept {
    --items_;
    give_turns();
  }

  void wait_to_get(QueueWaiter& waiter) noexcept { getters_.push_back(waiter); }
  void wait_to_put(QueueWaiter& waiter) noexcept { putters_.push_back(waiter); }
  void bind() { binding_.bind(); }
  /// The turn is over, used or not; give_turns() comes next.
  void end_get_turn(QueueWaiter& waiter) noexcept {
    end_turn(waiter);
    --kept_items_;
  }
  void end_put_turn(QueueWaiter& waiter) noexcept {
    end_turn(waiter);
    --kept_places_;
  }
  void give_turns() noexcept {
    if (!getters_.empty() || !putters_.empty()) give_turns_to_waiting();
  }

  SignalLine& finished() noexcept { return finished_; }
  /// @throws std::invalid_argument if no item is unfinished
  void task_done();
  /// Nothing can be put any more. `immediate`: the queue is going to drop all of its items.
  void shut_down(bool immediate);

 private:
  void check_here() const {
    if (!getters_.empty() || !putters_.empty()) binding_.check_here();
  }
  static void end_turn(QueueWaiter& waiter) noexcept {
    waiter.unlink();
    waiter.has_turn = false;
  }
  void give_turns_to_waiting() noexcept;
  [[noreturn]] void throw_shut_down() const;
  void refuse_all(const std::exception_ptr& error) noexcept;
  void finish(std::size_t count) noexcept;

  const std::size_t max_items_;
  std::size_t items_ = 0;
  std::size_t kept_items_ = 0;   // for getters that have not resumed yet
  std::size_t kept_places_ = 0;  // for putters that have not resumed yet
  std::size_t unfinished_ = 0;
  bool shut_down_ = false;
  LoopBinding binding_{"Queue"};
  WaiterList<QueueWaiter> getters_;
  WaiterList<QueueWaiter> putters_;
  WaiterList<QueueWaiter> woken_getters_;
  WaiterList<QueueWaiter> woken_putters_;
  SignalLine finished_{"Queue", true};
};

}  // namespace plait::detail
