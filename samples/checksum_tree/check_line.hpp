// Parsing the lines of a checksum list as `sha256sum -c` does.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "digest.hpp"
#include "file_hasher.hpp"

namespace checksum_tree {

/// Reads the three forms of a line; a backslash before any of them says that the name is escaped.
///
///     2c26b46b...  name          or with '*' in place of the second blank
///     SHA256 (name) = 2c26b46b...   of `--tag`
///     2c26b46b... name              of old BSD programs
class LineParser {
 public:
  /// Expects the checksums of `type`.
  explicit LineParser(const DigestType& type);

  /// The file and the checksum it should have; nothing where `line` has none of the forms.
  std::optional<Entry> parse(std::string_view line);

 private:
  // A list with one blank between checksum and name; the first line decides for all, so that a name
  // with a blank in front cannot change its meaning from line to line.
  enum class Blanks { unknown, two, one };

  std::optional<Entry> parse_tagged(std::string_view line, bool is_escaped) const;
  std::optional<Entry> parse_plain(std::string_view line, bool is_escaped);
  bool is_checksum(std::string_view text) const;

  std::string_view tag_;
  std::size_t hex_size_;
  Blanks blanks_ = Blanks::unknown;
};

}  // namespace checksum_tree
