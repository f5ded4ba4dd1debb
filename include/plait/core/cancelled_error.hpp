// What is thrown where work was cancelled or the user interrupted it: no std::exception on purpose.
#pragma once

#include <string>

namespace plait {

/// The work was cancelled before it had a result.
///
/// It is no std::exception, so that `catch (const std::exception&)` cannot swallow a cancellation.
/// A job that lets it escape ends cancelled. **Python:** asyncio.CancelledError, a BaseException.
class CancelledError {
 public:
  /// A cancellation that gives no reason.
  CancelledError();
  /// A cancellation whose `msg` says why.
  explicit CancelledError(std::string msg);

  /// The reason that was given; empty where none was.
  const std::string& message() const noexcept { return message_; }
  /// The reason as a C string; "cancelled" where none was given.
  const char* what() const noexcept;

 private:
  std::string message_;
};

/// The user pressed Ctrl-C. No std::exception, for the same reason as CancelledError.
///
/// **Python:** KeyboardInterrupt.
class KeyboardInterrupt {
 public:
  /// Always "KeyboardInterrupt".
  const char* what() const noexcept { return "KeyboardInterrupt"; }
};

}  // namespace plait
