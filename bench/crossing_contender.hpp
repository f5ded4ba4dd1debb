// What a benchmark program sees of a bridge between threads and a loop: functions only.
#pragma once

#include <cstddef>
#include <string>

namespace bench {

/// One system with a loop and a pool of `crossing_workers` threads. Each function does its thing
/// `count` times, after a warm-up, and gives the nanoseconds that one took.
struct CrossingContender {
  std::string name;
  double (*await_jobs)(std::size_t count);  ///< a coroutine awaits a job of the pool, then the next
  double (*gather_jobs)(std::size_t count);  ///< the same by windows of `crossing_window` jobs
  double (*calls)(std::size_t count);  ///< a plain thread starts a coroutine, blocks for its result
};

inline constexpr unsigned crossing_workers = 2;
inline constexpr std::size_t crossing_window = 1000;

/// Ours.
CrossingContender plait_crossings();
/// Boost.Asio's io_context, thread_pool and awaitable.
CrossingContender asio_crossings();

}  // namespace bench
