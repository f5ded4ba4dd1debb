// wrap_future: a future of the running loop for one that ends elsewhere.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <plait/core/future.hpp>
#include <plait/loop/detail/mirror_state.hpp>

namespace plait::detail {

/// The state behind the future of wrap_future().
template <class T>
class WrapperState final : public MirrorState<T> {
 public:
  using MirrorState<T>::MirrorState;

  // Runs in: any thread. The wrapper is done at once, whatever the original makes of the request.
  bool cancel(std::string_view message = {}) noexcept override {
    const bool was_done = this->done();
    if (!FutureState::cancel(message)) return false;
    if (was_done) return true;
    if (!this->original().cancel(message)) this->original().request_stop();
    if (running_loop == &this->core()) this->forget_original();
    return true;
  }
  std::string describe() const override { return "wrap_future()"; }
};

template <class T>
Future<T> wrap_state(LoopCore& core, Future<T> f) {
  auto* const wrapper = new WrapperState<T>(core);
  auto wrapped = make_future(StateRef<ValueState<T>>::adopt(wrapper));
  wrapper->begin(release_state(std::move(f)));
  return wrapped;
}

}  // namespace plait::detail

namespace plait::aio {

/// A future of the running loop that ends as `f` does, wherever that ends: in an executor, in
/// another loop, by a Promise.
///
/// Its done-callbacks run on this loop, by call_soon(), and it can be given to what refuses another
/// loop's futures. The value is copied; if T cannot be copied, it is moved out of `f`. A future of
/// the running loop is returned as it is. Other futures of an executor need no wrapping to be
/// awaited. **Python:** as there. **Threads:** a running loop's; the future's members as always.
/// **Cancellation:** of the wrapper, by cancel() or of who awaits it, ends it at once; `f` is
/// cancelled, or asked to stop where it runs. If the loop is closed first, the wrapper is cancelled
/// when `f` ends, and no callback is called.
/// @throws RuntimeError without a running loop; InvalidStateError for a future without a state
template <class T>
Future<T> wrap_future(Future<T> f) {
  auto& core = plait::detail::require_running_core();
  auto* const state = plait::detail::state_of(f);
  if (!state) plait::detail::throw_no_state("wrap_future()");
  if (state->owner() == &core && state->snapshot().has(plait::detail::of_loop)) return f;
  return plait::detail::wrap_state(core, std::move(f));
}

}  // namespace plait::aio
