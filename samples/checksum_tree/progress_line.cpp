// Formatting of the progress bar.
#include "progress_line.hpp"

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>

namespace checksum_tree {
namespace {

// Opening and closing a file takes about as long as hashing this many bytes; so trees of small
// files, too, have a bar that moves evenly.
constexpr double bytes_per_file = 10'000;

constexpr std::size_t widest_bar = 30;
constexpr std::size_t narrowest_bar = 5;

double effort(const Amount& amount) {
  return static_cast<double>(amount.bytes) + bytes_per_file * static_cast<double>(amount.files);
}

[[gnu::format(printf, 1, 2)]] std::string print(const char* format, ...) {
  char text[100];
  va_list values;
  va_start(values, format);
  std::vsnprintf(text, sizeof text, format, values);
  va_end(values);
  return text;
}

std::string clock_time(double seconds) {
  const auto whole = static_cast<unsigned long long>(std::min(std::ceil(seconds), 360'000.0));
  const unsigned long long hours = whole / 3600, minutes = whole / 60 % 60;
  if (hours > 0) return print("%llu:%02llu:%02llu", hours, minutes, whole % 60);
  return print("%llu:%02llu", minutes, whole % 60);
}

std::string amount_and_rate(const Amount& done, double seconds) {
  const auto megabytes = static_cast<double>(done.bytes) / 1e6;
  const auto files = static_cast<double>(done.files);
  return print("%.0f files, %.0f MB  %.0f files/s, %.0f MB/s", files, megabytes, files / seconds,
               megabytes / seconds);
}

std::string bar(double share, std::size_t width) {
  const auto filled = static_cast<std::size_t>(share * static_cast<double>(width));
  return '[' + std::string(filled, '#') + std::string(width - filled, '.') + "] ";
}

}  // namespace

std::string progress_line(const Amount& done, const std::optional<Amount>& total,
                          std::chrono::nanoseconds elapsed, std::size_t width) {
  const double seconds = std::max(std::chrono::duration<double>(elapsed).count(), 0.001);
  std::string line = amount_and_rate(done, seconds);
  if (total && effort(done) > 0) {
    // A file that grows after it was counted must not lead beyond the end.
    const double share = std::min(effort(done) / std::max(effort(*total), 1.0), 1.0);
    const std::string left = clock_time(seconds * (1 - share) / share);
    line = print("%3.0f%%  ", 100 * share) + line + "  " + left + " left";
    if (line.size() + narrowest_bar + 3 <= width) {
      line.insert(0, bar(share, std::min(width - line.size() - 3, widest_bar)));
    }
  }
  return line.substr(0, width);
}

}  // namespace checksum_tree
