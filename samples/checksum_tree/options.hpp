// The command line.
#pragma once

#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "digest.hpp"

namespace checksum_tree {

/// What the user asked for.
struct Options {
  bool wants_help = false;
  std::size_t jobs = 0;    ///< 0: the pool's default
  bool processes = false;  ///< whether the jobs run in processes instead of threads
  const Algorithm* algorithm = find_algorithm("sha256");
  std::optional<std::string> list{};  ///< the list to verify, "-" for standard input
  std::vector<std::string> paths{};
};

/// A command line that makes no sense; what() says which part and what would be right.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Reads the command line. Throws UsageError.
Options parse_options(int argc, char** argv);

/// The text of `--help`.
std::string help_text();

}  // namespace checksum_tree
