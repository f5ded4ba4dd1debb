// to_thread: a blocking function beside the loop, with the caller's context variables.
#pragma once

#include <functional>
#include <type_traits>
#include <utility>

#include <plait/core/coroutine.hpp>
#include <plait/core/detail/callable.hpp>
#include <plait/core/detail/context_state.hpp>
#include <plait/loop/event_loop.hpp>

namespace plait::detail {

/// Calls `fn` with the context variables as they were when this was made. Once.
template <class F>
class InContext {
 public:
  explicit InContext(F fn) : fn_(std::move(fn)) {}

  template <class... A>
    requires std::invocable<F, A...>
  decltype(auto) operator()(A&&... args) && {
    const ContextScope scope(context_);
    return std::invoke(std::move(fn_), std::forward<A>(args)...);
  }

 private:
  F fn_;
  ContextRef context_ = share_context();
};

template <class F, class... A>
Coroutine<SubmitResult<F, A...>> call_in_thread(F fn, A... args) {
  InContext<F> call(std::move(fn));
  auto result =
      aio::get_running_loop().run_in_executor(nullptr, std::move(call), std::move(args)...);
  co_return co_await std::move(result);
}

}  // namespace plait::detail

namespace plait::aio {

/// Runs fn(args...), or fn(std::stop_token, args...), in the default executor of the running loop,
/// with a copy of the context variables.
///
/// Callable and arguments are copied or moved at once; the rest happens when it is awaited. What it
/// sets in context variables is lost. **Python:** as there. **Threads:** a running loop's.
/// **Cancellation:** cancels the queued call, or asks the running one to stop and does not wait for
/// it.
/// @throws std::invalid_argument for a null callable; awaited, what EventLoop::run_in_executor()
/// and fn throw
template <class F, class... A>
  requires(!plait::detail::CoroutineFunction<F, A...>)
auto to_thread(F&& fn, A&&... args) -> Coroutine<SubmitResult<F, A...>> {
  plait::detail::refuse_null(fn, "to_thread()");
  return plait::detail::call_in_thread<std::decay_t<F>, std::decay_t<A>...>(
      std::forward<F>(fn), std::forward<A>(args)...);
}

}  // namespace plait::aio
