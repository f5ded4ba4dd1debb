// The text of the progress bar, computed from numbers only.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace checksum_tree {

/// A number of files and the bytes in them.
struct Amount {
  std::uint64_t files;
  std::uint64_t bytes;
};

/// One line of at most `width` columns: a bar, what is done, the rate, and the time left; without
/// bar and time left where `total` is not known (yet).
std::string progress_line(const Amount& done, const std::optional<Amount>& total,
                          std::chrono::nanoseconds elapsed, std::size_t width);

}  // namespace checksum_tree
