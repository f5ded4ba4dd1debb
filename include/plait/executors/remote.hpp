// remote<&f>: a function as a value that can travel to another process.
#pragma once

#include <concepts>
#include <functional>
#include <utility>

#include <plait/executors/detail/remote_chunk.hpp>

namespace plait {

/// The type of remote<Fn>: calls Fn, whose address is part of the type.
///
/// Everything else that can be submitted is opaque behind an Executor&; this is what a process
/// pool can take there, too. **Python:** functions are pickled by their name.
template <auto Fn>
struct RemoteFunction {
  /// Fn(args...)
  template <class... A>
    requires std::invocable<decltype(Fn), A...>
  decltype(auto) operator()(A&&... args) const {
    return std::invoke(Fn, std::forward<A>(args)...);
  }
};

/// &f as a value: submit(remote<&f>, args...) works on every executor, through Executor& too.
template <auto Fn>
inline constexpr RemoteFunction<Fn> remote{};

namespace detail {
template <auto Fn>
inline constexpr bool is_portable<RemoteFunction<Fn>> = true;
template <class T, auto Fn, class... Args>
inline constexpr const RemoteCall* remote_call_of<T, RemoteFunction<Fn>, Args...> =
    &PortableCall<T, RemoteFunction<Fn>, Args...>::remote_call;
}  // namespace detail

}  // namespace plait
