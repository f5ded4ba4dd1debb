// Where plait reports what nobody can catch: a callback's error, a failure nobody asked for.
#pragma once

#include <functional>
#include <string_view>

namespace plait {

/// How grave a report is.
enum class LogLevel {
  debug,    ///< of interest to who looks for a fault
  warning,  ///< something that works but should not be
  error     ///< an exception that would be lost without this report
};

/// Replaces the function that receives plait's reports; an empty one restores the default, which
/// writes all but LogLevel::debug to standard error.
///
/// The handler is called in the thread that has something to report, possibly in several at once;
/// what it throws is dropped. **Python:** the logger "concurrent.futures". **Threads:** any.
void set_log_handler(std::function<void(LogLevel, std::string_view)> handler);

}  // namespace plait

namespace plait::detail {

/// Hands one report to the handler; never throws.
void log(LogLevel level, std::string_view text) noexcept;

/// As above for a text that has to be put together, which may fail for want of memory.
template <class MakeText>
void log_made(LogLevel level, MakeText make_text) noexcept {
  try {
    log(level, make_text());
  } catch (...) {
    log(level, "there was an error, but no memory left to describe it");
  }
}

}  // namespace plait::detail
