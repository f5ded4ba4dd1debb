// shield: an awaitable that the cancellation of who awaits it does not reach.
#pragma once

#include <string>
#include <utility>

#include <plait/core/future.hpp>
#include <plait/loop/awaitable.hpp>
#include <plait/loop/detail/mirror_state.hpp>

namespace plait::detail {

template <class T>
class ShieldState final : public MirrorState<T> {
 public:
  using MirrorState<T>::MirrorState;
  std::string describe() const override { return "shield()"; }
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
