// Callables that were given to a process pool itself.
#pragma once

#include <functional>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include <plait/executors/detail/remote_chunk.hpp>

namespace plait::detail {

/// A callable that was given to a process pool. A type of its own, so that what is submitted
/// elsewhere needs to know nothing of archives.
template <class F>
struct Portable {
  F fn;

  template <class... A>
    requires std::invocable<F&, A...>
  decltype(auto) operator()(A&&... args) & {
    return std::invoke(fn, std::forward<A>(args)...);
  }
  template <class... A>
    requires std::invocable<F, A...>
  decltype(auto) operator()(A&&... args) && {
    return std::invoke(std::move(fn), std::forward<A>(args)...);
  }
};
template <class F>
inline const std::type_info& named_type<Portable<F>> = typeid(F);
template <class F>
inline constexpr bool is_portable<Portable<F>> = true;

template <class F>
void write_callable(FrameWriter& out, const Portable<F>& portable) {
  write_callable(out, portable.fn);
}

template <class T, class F, class... Args>
inline constexpr const RemoteCall* remote_call_of<T, Portable<F>, Args...> =
    &PortableCall<T, F, Args...>::remote_call;

/// `fn` as something that is known to travel.
template <class F>
auto portable(F&& fn) {
  using Fn = std::decay_t<F>;
  if constexpr (is_portable<Fn>) {
    return Fn(std::forward<F>(fn));
  } else {
    return Portable<Fn>{std::forward<F>(fn)};
  }
}

/// Whether fn(args...) can be made in another process; says why not.
template <class F, class... A>
consteval void check_call_travels() {
  if constexpr (!is_portable<std::decay_t<F>>) check_callable_travels<std::decay_t<F>>();
  (check_travels<std::decay_t<A>>(), ...);
  check_travels<SubmitResult<F, A...>>();
}

}  // namespace plait::detail
