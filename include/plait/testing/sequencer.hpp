// Sequencer: one fixed order of what several tasks and threads do.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>

#include <plait/core/clock.hpp>
#include <plait/core/coroutine.hpp>

namespace plait::detail {
class SequencerState;
}

namespace plait::testing {

/// The keyword arguments of Sequencer.
struct SequencerOptions {
  /// Threads take part: a loop with virtual time then does not jump while a task waits for its
  /// turn.
  bool with_threads = false;
  /// How long, in real time, the next point may be missing before all that wait for it get an
  /// error.
  Duration timeout = std::chrono::seconds(10);
};

/// Points 0, 1, 2, ... that are reached in this order, whoever reaches them.
///
/// Who reaches a point waits until those before it were reached. So what is done before reach(n)
/// happens before all that is done after reach(n + 1), in any task or thread.
///
/// @snippet test/testing/test_sequencer.cpp sequencer
///
/// A point that nobody reaches does not hang the test: who waits gets a TimeoutError that says
/// which one is missing, on an otherwise idle loop with virtual time a DeadlockError at once.
/// **Threads:** any.
class Sequencer {
 public:
  /// `points` points, none of which was reached.
  explicit Sequencer(std::size_t points, SequencerOptions options = SequencerOptions());
  Sequencer(const Sequencer&) = delete;
  Sequencer& operator=(const Sequencer&) = delete;
  ~Sequencer();

  /// For tasks. **Cancellation:** while it waits; the point then was not reached.
  /// @throws std::invalid_argument for a point that there is not, that was reached before, or that
  /// somebody waits for already; TimeoutError
  Coroutine<> reach(std::size_t point);
  /// For threads; never in the thread of a loop that runs. @throws as reach()
  void reach_blocking(std::size_t point);
  /// How many points were reached.
  std::size_t reached() const;
  /// @throws RuntimeError unless all points were reached
  void check_all_reached() const;

 private:
  const std::shared_ptr<detail::SequencerState> state_;
};

}  // namespace plait::testing
