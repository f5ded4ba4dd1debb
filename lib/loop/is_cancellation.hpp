// Tells a cancellation from the other errors.
#pragma once

#include <exception>

#include <plait/core/cancelled_error.hpp>

namespace plait::detail {

/// Whether `error`, if there is one, is a CancelledError.
inline bool is_cancellation(const std::exception_ptr& error) noexcept {
  if (!error) return false;
  try {
    std::rethrow_exception(error);
  } catch (const CancelledError&) {
    return true;
  } catch (...) {
    return false;
  }
}

}  // namespace plait::detail
