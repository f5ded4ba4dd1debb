// The arithmetic of the buckets.
#include "latency.hpp"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>

namespace job_service {

void Latency::record(plait::Duration time) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(time).count();
  ++buckets_[bucket_of(static_cast<std::uint64_t>(std::max<decltype(us)>(us, 0)))];
  ++count_;
}

std::uint64_t Latency::percentile_us(double share) const {
  if (count_ == 0) return 0;
  const auto wanted = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_)));
  std::uint64_t seen = 0;
  std::size_t bucket = 0;
  while ((seen += buckets_[bucket]) < wanted) ++bucket;
  return largest_in(bucket);
}

boost::json::object Latency::stats() const {
  return {{"count", count()}, {"p50_us", percentile_us(0.5)}, {"p99_us", percentile_us(0.99)}};
}

// The numbers below `steps` have a bucket each; above, it is the place of the highest bit, and the
// bits that follow it.
std::size_t Latency::bucket_of(std::uint64_t us) {
  if (us < steps) return us;
  const auto shift = static_cast<std::size_t>(std::bit_width(us)) - steps_bits - 1;
  return shift * steps + (us >> shift);
}

std::uint64_t Latency::largest_in(std::size_t bucket) {
  if (bucket < steps) return bucket;
  const std::size_t shift = bucket / steps - 1;
  return ((bucket % steps + steps + 1) << shift) - 1;
}

}  // namespace job_service
