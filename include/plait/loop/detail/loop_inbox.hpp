// What other threads have posted to a loop, and whether it sleeps.
#pragma once

#include <atomic>
#include <cstdint>

#include <plait/core/detail/future_state.hpp>
#include <plait/core/detail/ready_queue.hpp>

namespace plait::detail {

/// A stack that any thread pushes to and the loop empties; empty, it says what the loop does.
class LoopInbox {
 public:
  /// What a push has found.
  enum class Found {
    awake,               ///< the loop will look by itself
    asleep_in_futex,     ///< push() has woken it
    asleep_in_selector,  ///< the caller has to wake it; the inbox may be gone by then
    closed               ///< the work was not taken
  };

  /// Runs in: any thread, or a signal handler.
  Found push(Runnable& work) noexcept;

  // -- in the loop's thread
  bool empty() const noexcept { return inbox_.load() == nullptr; }
  /// False: nothing, whatever the mark.
  bool has_work() const noexcept;
  /// Moves everything to `ready`, oldest first.
  void take_all(ReadyQueue& ready) noexcept {
    if (!empty()) take_all_there_are(ready);
  }
  /// Sleeps until there is work or the deadline has passed.
  void sleep(Deadline deadline) noexcept;
  /// Says that the loop is about to sleep in its selector; false: there is work already.
  bool sleep_in_selector() noexcept;
  /// Takes that back; false: it was taken back already, or there is work.
  bool wake_from_selector() noexcept;
  /// Abandons what is in it and takes nothing any more.
  void close() noexcept;

 private:
  void take_all_there_are(ReadyQueue& ready) noexcept;

  // The newest of what was posted; null or a mark: nothing. [INBOX-1] The loop, before it sleeps,
  // replaces null by "asleep". [INBOX-2] Who posts replaces what it finds by its work, and wakes
  // the loop if it has found "asleep". So either the loop finds the work, or the other finds it
  // asleep.
  std::atomic<Runnable*> inbox_{nullptr};
};

}  // namespace plait::detail
