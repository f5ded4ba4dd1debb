// A value or an exception, as a value.
#pragma once

#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include <plait/core/cancelled_error.hpp>
#include <plait/core/detail/stored.hpp>

namespace plait {

/// How a result is read: a reference to the value; void where there is none.
template <class T>
using ResultOf = std::conditional_t<std::is_void_v<T>, void, std::add_lvalue_reference_t<const T>>;

/// How a piece of work ended: with a value, with an exception, or cancelled.
///
/// **Python:** what gather(return_exceptions=True) puts into its list.
template <class T>
class Outcome {
 public:
  /// The type of the value.
  using value_type = T;

  /// A value made from `args`; for void from none.
  template <class... Args>
  explicit Outcome(std::in_place_t, Args&&... args)
      : value_(std::in_place, std::forward<Args>(args)...) {}
  /// An exception; null means cancelled.
  explicit Outcome(std::exception_ptr error) : error_(std::move(error)) {}

  /// True for a value.
  bool has_value() const { return value_.has_value(); }
  /// The value; rethrows the exception, or throws CancelledError.
  ResultOf<T> value() const& {
    check();
    if constexpr (!std::is_void_v<T>) return *value_;
  }
  /// As above, moved out of an Outcome that goes away.
  T value() && {
    check();
    if constexpr (!std::is_void_v<T>) return *std::move(value_);
  }
  /// The exception; null for a value and for a cancellation that gave no reason.
  std::exception_ptr exception() const { return error_; }

 private:
  void check() const {
    if (error_) std::rethrow_exception(error_);
    if (!value_) throw CancelledError();
  }

  std::optional<detail::Stored<T>> value_;
  std::exception_ptr error_;
};

}  // namespace plait
