// The escaping of coreutils' checksum lists and the quoting of its messages.
#include "text.hpp"

#include <algorithm>
#include <cwchar>
#include <cwctype>

namespace checksum_tree {
namespace {

constexpr std::string_view harmless =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+,-./@_%";

// The number of bytes at the start of `text` that form one printable character of the locale; 0
// where the first byte must be shown as a number (a control character, a broken sequence).
std::size_t printable_prefix(std::string_view text) {
  std::mbstate_t state{};
  wchar_t character = 0;
  const std::size_t length = std::mbrtowc(&character, text.data(), text.size(), &state);
  const bool broken = length == 0 || length > text.size();
  return broken || !std::iswprint(static_cast<std::wint_t>(character)) ? 0 : length;
}

std::string octal(unsigned char byte) {
  const auto digit = [byte](int shift) { return static_cast<char>('0' + ((byte >> shift) & 7)); };
  return {'\\', digit(6), digit(3), digit(0)};
}

// What stands between $'...' for a byte that cannot be printed.
std::string shell_escape(unsigned char byte) {
  switch (byte) {
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      return octal(byte);
  }
}

bool is_plain(std::string_view name) {
  while (!name.empty()) {
    const std::size_t length = printable_prefix(name);
    if (length == 0 || (length == 1 && harmless.find(name.front()) == harmless.npos)) return false;
    name.remove_prefix(length);
  }
  return true;
}

}  // namespace

bool needs_escape(std::string_view name) {
  return name.find_first_of("\\\n\r") != std::string_view::npos;
}

std::string escaped(std::string_view name) {
  std::string text;
  text.reserve(name.size() + 2);
  for (const char byte : name) {
    switch (byte) {
      case '\n':
        text += "\\n";
        break;
      case '\r':
        text += "\\r";
        break;
      case '\\':
        text += "\\\\";
        break;
      default:
        text += byte;
    }
  }
  return text;
}

std::optional<std::string> unescaped(std::string_view text) {
  std::string name;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\0') return std::nullopt;
    if (text[i] != '\\') {
      name += text[i];
      continue;
    }
    if (++i == text.size()) return std::nullopt;
    switch (text[i]) {
      case 'n':
        name += '\n';
        break;
      case 'r':
        name += '\r';
        break;
      case '\\':
        name += '\\';
        break;
      default:
        return std::nullopt;
    }
  }
  return name;
}

std::string shell_quoted(std::string_view name) {
  if (!name.empty() && is_plain(name)) return std::string(name);
  std::string text = "'";
  bool in_escape = false;  // inside $'...', the only place where a shell reads \n and octal numbers
  while (!name.empty()) {
    const std::size_t length = printable_prefix(name);
    if (in_escape != (length == 0)) text += in_escape ? "''" : "'$'";
    in_escape = length == 0;
    if (in_escape) {
      text += shell_escape(static_cast<unsigned char>(name.front()));
    } else {
      text += name.front() == '\'' ? "'\\''" : name.substr(0, length);
    }
    name.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return text += "'";
}

std::string counted(std::uint64_t count, std::string_view one, std::string_view many) {
  std::string text = std::to_string(count);
  text += ' ';
  return text += count == 1 ? one : many;
}

}  // namespace checksum_tree
