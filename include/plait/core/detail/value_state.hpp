// A FutureState with room for a value of type T.
#pragma once

#include <concepts>
#include <memory>
#include <type_traits>
#include <utility>

#include <plait/core/detail/future_state.hpp>
#include <plait/core/detail/stored.hpp>

namespace plait::detail {

/// Whether a T can really be copied: a container of what cannot be copied claims to.
template <class T>
inline constexpr bool copies = std::copy_constructible<T>;
template <std::copy_constructible T>
  requires requires {
    typename T::value_type;
    typename T::allocator_type;
  }
inline constexpr bool copies<T> =
    std::same_as<T, typename T::value_type> || copies<typename T::value_type>;

/// Room for a value that is made later, if at all.
template <class Stored>
struct ValueRoom {
  ValueRoom() noexcept {}
  ~ValueRoom() {}
  union {
    Stored value;
  };
};
/// Future<void> needs none: nothing is ever written here.
template <>
struct ValueRoom<Nothing> {
  [[no_unique_address]] Nothing value;
};

/// The state behind Future<T>. The value is alive exactly while finished and without error.
template <class T>
class ValueState : public FutureState {
 public:
  using Stored = detail::Stored<T>;

  /// A pending state without a value; see FutureState.
  ValueState(JobOwner* owner, std::uint32_t references, std::uint32_t flags = 0)
      : FutureState(owner, references, flags) {}

  /// The value of a state that is finished without error.
  Stored& value() noexcept { return room_.value; }

  /// The value for who gives a handle up: moved out if that is the last one or if T cannot be
  /// copied, else copied.
  Stored give_value() {
    if constexpr (copies<Stored>) {
      if (snapshot().references() > 1) return room_.value;
    }
    return std::move(room_.value);
  }

  /// Makes the value from what `make` returns, in place: T need not even be movable.
  template <class Make>
  void emplace_with(Make&& make) {
    if constexpr (std::is_void_v<T>) {
      std::forward<Make>(make)();
    } else {
      ::new (static_cast<void*>(std::addressof(room_.value))) Stored(std::forward<Make>(make)());
    }
  }

 protected:
  ~ValueState() override {
    if (snapshot().phase() == Phase::finished && !error())
      std::destroy_at(std::addressof(room_.value));
  }

 private:
  [[no_unique_address]] ValueRoom<Stored>
      room_;  // written by who ends the state, before that; shared
};

}  // namespace plait::detail
