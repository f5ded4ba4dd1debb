// The line forms that coreutils 9.1 accepts, with its rules for what is malformed.
#include "check_line.hpp"

#include <algorithm>
#include <cctype>
#include <utility>

#include "text.hpp"

namespace checksum_tree {
namespace {

constexpr std::string_view blank = " \t";

bool is_blank(char byte) { return blank.find(byte) != blank.npos; }

std::string_view without_leading_blanks(std::string_view text) {
  return text.substr(std::min(text.find_first_not_of(blank), text.size()));
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

std::optional<Entry> make_entry(std::string_view name, std::string_view checksum, bool is_escaped) {
  // No name has a NUL; like coreutils, what follows one is not seen.
  std::optional<std::string> path =
      is_escaped ? unescaped(name) : std::string(name.substr(0, name.find('\0')));
  if (!path) return std::nullopt;
  std::string expected(checksum);
  for (char& digit : expected) {
    digit = static_cast<char>(std::tolower(static_cast<unsigned char>(digit)));
  }
  return Entry{std::move(*path), std::move(expected)};
}

}  // namespace

LineParser::LineParser(const DigestType& type)
    : tag_(type.algorithm().tag), hex_size_(type.hex_size()) {}

std::optional<Entry> LineParser::parse(std::string_view line) {
  line = without_leading_blanks(line);
  const bool is_escaped = take_prefix(line, "\\");
  if (take_prefix(line, tag_)) return parse_tagged(line, is_escaped);
  return parse_plain(line, is_escaped);
}

// What follows the tag: " (name) = checksum". The name ends at the last ')'.
std::optional<Entry> LineParser::parse_tagged(std::string_view line, bool is_escaped) const {
  take_prefix(line, " ");
  const std::size_t end = line.rfind(')');
  if (!take_prefix(line, "(") || end == line.npos) return std::nullopt;
  const std::string_view name = line.substr(0, end - 1);
  std::string_view rest = without_leading_blanks(line.substr(end));
  if (!take_prefix(rest, "=")) return std::nullopt;
  rest = without_leading_blanks(rest);
  if (!is_checksum(rest)) return std::nullopt;
  return make_entry(name, rest, is_escaped);
}

std::optional<Entry> LineParser::parse_plain(std::string_view line, bool is_escaped) {
  const std::string_view checksum = line.substr(0, hex_size_);
  std::string_view name = line.substr(checksum.size());
  if (!is_checksum(checksum) || name.size() < 2 || !is_blank(name.front())) return std::nullopt;
  name.remove_prefix(1);
  const bool has_mark = name.size() > 1 && (name.front() == ' ' || name.front() == '*');
  if (!has_mark && blanks_ == Blanks::two) return std::nullopt;
  if (!has_mark) {
    blanks_ = Blanks::one;
  } else if (blanks_ != Blanks::one) {
    blanks_ = Blanks::two;
    name.remove_prefix(1);
  }
  return make_entry(name, checksum, is_escaped);
}

bool LineParser::is_checksum(std::string_view text) const {
  const auto is_digit = [](unsigned char byte) { return std::isxdigit(byte) != 0; };
  return text.size() == hex_size_ && std::ranges::all_of(text, is_digit);
}

}  // namespace checksum_tree
