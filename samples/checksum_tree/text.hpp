// Text for lists and for people: GNU's escaping of names, quoting, and counts with their noun.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace checksum_tree {

/// Whether `name` has a byte (newline, carriage return, backslash) that a list line must escape.
bool needs_escape(std::string_view name);

/// `name` with newline, carriage return and backslash as `\n`, `\r` and `\\`.
std::string escaped(std::string_view name);

/// Undoes escaped(); nothing where `text` could not have come from it.
std::optional<std::string> unescaped(std::string_view text);

/// `name` for a message: as it is where it is harmless, else quoted so that a shell reads it back.
std::string shell_quoted(std::string_view name);

/// `count` and the noun that fits it: "1 file", "2 files".
std::string counted(std::uint64_t count, std::string_view one, std::string_view many);

}  // namespace checksum_tree
