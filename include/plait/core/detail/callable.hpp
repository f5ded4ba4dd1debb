// Refuses callables that hold nothing before they are queued, where the mistake still has a line.
#pragma once

#include <stdexcept>
#include <string>
#include <type_traits>

namespace plait::detail {

/// A type that can be compared with nullptr because it can be empty: pointers, std::function.
template <class F>
concept MaybeNull =
    std::is_pointer_v<F> || std::is_member_pointer_v<F> || (std::is_class_v<F> && requires(F& fn) {
      static_cast<bool>(fn);
      fn = nullptr;
    });

/// Throws std::invalid_argument where `fn` is a null pointer or an empty std::function.
template <class F>
void refuse_null(const F& fn, const char* where) {
  if constexpr (MaybeNull<F>) {
    if (!static_cast<bool>(fn)) {
      throw std::invalid_argument(std::string(where) +
                                  " got a null callable: pass a function or a function object");
    }
  }
}

}  // namespace plait::detail
