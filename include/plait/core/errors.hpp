// The ordinary errors that plait throws; all of them derive from plait::Error.
#pragma once

#include <stdexcept>

namespace plait {

/// The base of every error that plait throws, CancelledError aside.
///
/// Wrong arguments are std::invalid_argument instead, as they are a mistake in the calling line.
/// **Python:** concurrent.futures._base.Error.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The operation does not fit the state the future is in: a second result, or a handle without
/// state.
///
/// **Python:** concurrent.futures.InvalidStateError.
struct InvalidStateError : Error {
  using Error::Error;
};

/// A wait took longer than its timeout. The work that was waited for goes on.
///
/// **Python:** the builtin TimeoutError.
struct TimeoutError : Error {
  using Error::Error;
};

/// An object was used in a way it does not allow, such as a submit() after shutdown().
///
/// **Python:** the builtin RuntimeError.
struct RuntimeError : Error {
  using Error::Error;
};

/// A wait that can never end, because what it waits for waits for the waiter. The text names the
/// jobs.
///
/// **Python:** none; there the program hangs.
struct DeadlockError : RuntimeError {
  using RuntimeError::RuntimeError;
};

/// A callable, an argument or a result could not be carried to another process and back.
///
/// **Python:** pickle.PicklingError and what else pickling throws.
struct SerializationError : Error {
  using Error::Error;
};

}  // namespace plait
