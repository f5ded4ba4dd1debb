// How a result of type T is kept.
#pragma once

#include <type_traits>

namespace plait::detail {

/// What Future<void> keeps as its value.
struct Nothing {};

/// A T, or Nothing for void.
template <class T>
using Stored = std::conditional_t<std::is_void_v<T>, Nothing, T>;

}  // namespace plait::detail
