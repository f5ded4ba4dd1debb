// What submit() can be told about one job.
#pragma once

#include <optional>
#include <string_view>

#include <plait/core/clock.hpp>

namespace plait {

/// The keyword arguments of submit(). **Python:** none of them.
struct SubmitOptions {
  std::string_view name{};            ///< for messages; copied at once
  int priority = 0;                   ///< higher starts first; see ThreadPoolExecutor
  std::optional<Duration> timeout{};  ///< process pools only
  int retries = 0;                    ///< process pools only
};

/// The keyword arguments of shutdown().
struct ShutdownOptions {
  bool wait = true;             ///< return only when every job and every worker has ended
  bool cancel_futures = false;  ///< cancel what has not started
};

}  // namespace plait
