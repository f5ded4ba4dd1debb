// map(): the size of its chunks, and the errors that nobody reads.
#include <plait/executors/map.hpp>

#include <algorithm>
#include <stdexcept>
#include <string>

#include <plait/core/log.hpp>

#include "core/describe_exception.hpp"

namespace plait::detail {
namespace {

constexpr std::size_t chunks_per_worker = 32;  // so that the last ones to end end together
constexpr std::size_t max_auto_chunk = 16384;  // tens of microseconds of the cheapest work there is

}  // namespace

ChunkPlan::ChunkPlan(const MapOptions& options, std::size_t parallelism,
                     std::optional<std::size_t> size)
    : chunk_(options.chunksize), max_chunk_(options.chunksize) {
  if (options.chunksize == 0) {
    throw std::invalid_argument(
        "map(): chunksize must be at least 1; plait::auto_chunksize lets map() choose");
  }
  if (options.buffersize && *options.buffersize == 0) {
    throw std::invalid_argument("map(): buffersize must be at least 1; leave it out for no bound");
  }
  buffer_ = options.buffersize.value_or(static_cast<std::size_t>(-1));
  if (options.chunksize == auto_chunksize) {
    max_chunk_ = std::min(max_auto_chunk, buffer_ / (4 * parallelism));
    if (size) max_chunk_ = std::min(max_chunk_, *size / (chunks_per_worker * parallelism));
    max_chunk_ = std::max<std::size_t>(1, max_chunk_);
    chunk_ = size ? max_chunk_ : 1;
  }
  max_chunk_ = std::min(max_chunk_, buffer_);
  chunk_ = std::min(chunk_, max_chunk_);
}

std::size_t ChunkPlan::next(std::size_t in_flight) {
  if (in_flight >= buffer_ || buffer_ - in_flight < chunk_) return 0;
  const std::size_t size = chunk_;
  chunk_ = std::min(chunk_ + (chunk_ + 1) / 2, max_chunk_);
  return size;
}

void log_lost_element_errors(const std::vector<ElementError>& errors) noexcept {
  for (const ElementError& lost : errors) {
    if (lost.read || !lost.error) continue;
    log_made(LogLevel::error, [&] {
      return "an element of a map() failed and nobody asked for its exception: " +
             describe_exception(lost.error);
    });
  }
}

}  // namespace plait::detail
