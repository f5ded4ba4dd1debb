// How long requests took, in a fixed amount of memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <plait/core/clock.hpp>

#include <boost/json/object.hpp>

namespace job_service {

// A histogram of microseconds whose buckets grow with what they hold: eight for each power of two,
// so that a percentile is at most an eighth too large, whether it is of microseconds or of hours.
class Latency {
 public:
  void record(plait::Duration time);

  std::uint64_t count() const { return count_; }
  // The time that `share` of all requests did not exceed: 0.99 for p99.
  std::uint64_t percentile_us(double share) const;
  // What /stats shows.
  boost::json::object stats() const;

 private:
  static constexpr int steps_bits = 3;
  static constexpr std::size_t steps = 1 << steps_bits;

  static std::size_t bucket_of(std::uint64_t us);
  static std::uint64_t largest_in(std::size_t bucket);

  std::array<std::uint64_t, 64 * steps> buckets_{};
  std::uint64_t count_ = 0;
};

// Records the time from its making to the end of its scope, however that is left.
class Stopwatch {
 public:
  explicit Stopwatch(Latency& latency) : latency_(latency) {}
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;
  ~Stopwatch() { latency_.record(plait::Clock::now() - start_); }

 private:
  Latency& latency_;
  const plait::Clock::time_point start_ = plait::Clock::now();
};

}  // namespace job_service
