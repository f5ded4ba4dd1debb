// shield: an awaitable that the cancellation of who awaits it does not reach.
#pragma once

#include <array>
#include <string>
#include <type_traits>
#include <utility>

#include <plait/core/future.hpp>
#include <plait/loop/awaitable.hpp>
#include <plait/loop/detail/watch_list.hpp>

namespace plait::detail {

/// The state behind the future of shield(). One of its references is its own, until `inner` is
/// done.
template <class T>
class ShieldState final : public ValueState<T>, public WatchList {
 public:
  explicit ShieldState(LoopCore& core) : ValueState<T>(&core, 2, of_loop), WatchList(core) {}
  void begin(StateRef<FutureState> inner) {
    set_state(watch_[0], std::move(inner), "shield()");
    start(watch_);
  }
  std::string describe() const override { return "shield()"; }

 private:
  // An error that nobody can get from here any more is reported when the last handle of `inner`
  // goes.
  void child_ended(Watch& watch) noexcept override {
    if (this->start_ending()) this->end(take_end(watch.state()));
  }
  void all_ended() noexcept override { this->release(); }
  void abandoned() noexcept override {
    if (this->start_ending()) this->end(Phase::cancelled);
  }
  FutureState* awaited_for() const noexcept override {
    return const_cast<ShieldState*>(this);  // NOLINT: as Waiter::waiting_state() has it
  }
  bool start_ending() noexcept { return FutureState::start(); }
  using WatchList::start;

  Phase take_end(FutureState& inner) noexcept {
    if (inner.retrieve_error()) return this->store_error(inner.error());
    if (inner.snapshot().phase() == Phase::cancelled) return Phase::cancelled;
    if constexpr (!std::is_void_v<T>) {
      try {
        this->emplace_with([&] { return take_value<T>(inner, false); });
      } catch (...) {
        return this->store_error(std::current_exception());
      }
    }
    return Phase::finished;
  }

  std::array<Watch, 1> watch_;
};

}  // namespace plait::detail

namespace plait::aio {

/// A future of the same result as `inner`, whose cancellation does not reach `inner`.
///
/// A coroutine is made a task of the running loop. What is done already is given back as it is. A
/// failure of `inner` after the cancellation is reported if nobody asks `inner` for it. **Python:**
/// as there; the task is held by its loop, so nobody else has to. **Threads:** a running loop's.
/// **Cancellation:** of the future, or of a task that awaits it, ends it at once.
/// @throws RuntimeError without a running loop; std::invalid_argument for a future of another loop
template <Awaitable A>
Future<Awaited<A>> shield(A&& inner) {
  using T = Awaited<A>;
  auto& core = plait::detail::require_running_core();
  auto state = plait::detail::to_state(core, std::forward<A>(inner), "shield()");
  if (state->done()) {
    auto* const done = static_cast<plait::detail::ValueState<T>*>(state.detach());
    return plait::detail::make_future(
        plait::detail::StateRef<plait::detail::ValueState<T>>::adopt(done));
  }
  plait::detail::check_same_loop(core, *state, "shield()");
  auto* const shield = new plait::detail::ShieldState<T>(core);
  auto outer = plait::detail::make_future(
      plait::detail::StateRef<plait::detail::ValueState<T>>::adopt(shield));
  shield->begin(std::move(state));
  return outer;
}

}  // namespace plait::aio
