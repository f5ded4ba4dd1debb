// A future of a loop that ends as another one does.
#pragma once

#include <array>
#include <exception>
#include <type_traits>
#include <utility>

#include <plait/core/detail/value_state.hpp>
#include <plait/loop/detail/watch_list.hpp>

namespace plait::detail {

/// The state behind the futures of shield() and wrap_future(). One of its references is its own,
/// until the original is done.
template <class T>
class MirrorState : public ValueState<T>, public WatchList {
 public:
  explicit MirrorState(LoopCore& core) : ValueState<T>(&core, 2, of_loop), WatchList(&core) {}
  /// Begins to watch. Runs in: the loop's thread.
  void begin(StateRef<FutureState> original) {
    set_state(watch_[0], std::move(original));
    start(watch_);
  }

 protected:
  FutureState& original() const noexcept { return watch_[0].state(); }
  /// Lets the original end unwatched. Runs in: the loop.
  void forget_original() noexcept {
    if (unlink(watch_)) this->release();
  }

 private:
  // An error that nobody can get from here any more is reported when the last handle of the
  // original goes.
  void child_ended(Watch& watch) noexcept override {
    if (start_ending()) this->end(take_end(watch.state()));
  }
  void all_ended() noexcept override { this->release(); }
  void abandoned() noexcept override {
    if (start_ending()) this->end(Phase::cancelled);
  }
  FutureState* awaited_for() const noexcept override {
    return const_cast<MirrorState*>(this);  // NOLINT: as Waiter::waiting_state() has it
  }
  bool start_ending() noexcept { return FutureState::start(); }
  using WatchList::start;

  Phase take_end(FutureState& original) noexcept {
    if (original.retrieve_error()) return this->store_error(original.error());
    if (original.snapshot().phase() == Phase::cancelled) return Phase::cancelled;
    if constexpr (!std::is_void_v<T>) {
      try {
        this->emplace_with([&] { return static_cast<ValueState<T>&>(original).give_value(); });
      } catch (...) {
        return this->store_error(std::current_exception());
      }
    }
    return Phase::finished;
  }

  std::array<Watch, 1> watch_;
};

}  // namespace plait::detail
