// A StreamReader as one string: what each read gives, found in the simplest way.
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace plait::test {

// The bytes as a literal; of many only the first ones.
inline std::string in_quotes(std::string_view bytes) {
  std::string text = "\"";
  for (const char c : bytes.substr(0, 60)) text += c == '\n' ? "\\n" : std::string(1, c);
  return text + (bytes.size() > 60 ? "..." : "") + "\" (" + std::to_string(bytes.size()) + ")";
}

// What a read asks for.
struct StreamRead {
  enum class Kind { some, exactly, line, until };
  std::string text() const {
    if (kind == Kind::line) return "readline()";
    if (kind == Kind::some) return "read(" + std::to_string(size) + ")";
    if (kind == Kind::exactly) return "readexactly(" + std::to_string(size) + ")";
    std::string text = "readuntil(";
    for (const std::string& separator : separators) text += " " + in_quotes(separator);
    return text + " )";
  }

  Kind kind;
  std::ptrdiff_t size = 0;
  std::vector<std::string> separators{};
};

// How a read ended.
struct StreamOutcome {
  enum class Kind { value, incomplete, overrun, invalid, failed, runtime_error, cancelled, other };
  bool operator==(const StreamOutcome&) const = default;
  std::string text() const {
    static constexpr const char* names[] = {"gave",
                                            "IncompleteReadError after",
                                            "LimitOverrunError at",
                                            "invalid_argument",
                                            "the exception that was set",
                                            "RuntimeError",
                                            "CancelledError",
                                            "another error"};
    return names[static_cast<int>(kind)] + (" " + in_quotes(bytes)) + " " + std::to_string(number);
  }

  Kind kind;
  std::string bytes{};     // the value, or what an IncompleteReadError carries
  std::size_t number = 0;  // how many were expected; how many a LimitOverrunError passes
};

class StreamModel {
 public:
  explicit StreamModel(std::size_t limit) : limit_(limit) {}

  void feed(std::string_view bytes) { data_ += bytes; }
  void feed_eof() { eof_ = true; }
  void fail() { failed_ = true; }
  std::size_t size() const { return data_.size(); }
  bool eof() const { return eof_; }
  bool at_eof() const { return eof_ && data_.empty(); }
  bool failed() const { return failed_; }

  // How a read ends that looks at the bytes now; nullopt: it has to wait.
  std::optional<StreamOutcome> finish(const StreamRead& read) {
    if (is_invalid(read)) return StreamOutcome{Kind::invalid};
    if (failed_) return StreamOutcome{Kind::failed};
    switch (read.kind) {
      case StreamRead::Kind::some:
        return finish_some(read.size);
      case StreamRead::Kind::exactly:
        return finish_exactly(static_cast<std::size_t>(read.size));
      case StreamRead::Kind::line:
        return finish_line();
      default:
        return finish_until(read.separators);
    }
  }

 private:
  using Kind = StreamOutcome::Kind;

  static bool is_invalid(const StreamRead& read) {
    if (read.kind == StreamRead::Kind::exactly) return read.size < 0;
    if (read.kind != StreamRead::Kind::until) return false;
    return read.separators.empty() || std::ranges::any_of(read.separators, &std::string::empty);
  }

  std::string take(std::size_t size) {
    std::string taken = data_.substr(0, size);
    data_.erase(0, size);
    return taken;
  }

  std::optional<StreamOutcome> finish_some(std::ptrdiff_t size) {
    if (size == 0) return StreamOutcome{Kind::value};
    if (!eof_ && (size < 0 || data_.empty())) return std::nullopt;
    return StreamOutcome{Kind::value, take(static_cast<std::size_t>(size))};  // < 0: all
  }

  std::optional<StreamOutcome> finish_exactly(std::size_t size) {
    if (data_.size() >= size) return StreamOutcome{Kind::value, take(size)};
    if (!eof_) return std::nullopt;
    return StreamOutcome{Kind::incomplete, take(data_.size()), size};
  }

  std::optional<StreamOutcome> finish_line() {
    auto outcome = finish_until({"\n"});
    if (outcome && outcome->kind == Kind::incomplete) {
      return StreamOutcome{Kind::value, outcome->bytes};
    }
    if (outcome && outcome->kind == Kind::overrun) {
      take(data_.find('\n') == outcome->number ? outcome->number + 1 : data_.size());
      return StreamOutcome{Kind::invalid};
    }
    return outcome;
  }

  // The shortest piece that ends in a separator; of several there, the shortest separator counts.
  std::optional<StreamOutcome> finish_until(std::vector<std::string> separators) {
    std::ranges::sort(separators, {}, &std::string::size);
    for (std::size_t end = 1; end <= data_.size(); ++end) {
      for (const std::string& separator : separators) {
        if (!std::string_view(data_).substr(0, end).ends_with(separator)) continue;
        const std::size_t begin = end - separator.size();
        if (begin > limit_) return StreamOutcome{Kind::overrun, {}, begin};
        return StreamOutcome{Kind::value, take(end)};
      }
    }
    const std::size_t most_begun = separators.back().size() - 1;  // of a separator that may come
    const std::size_t passed = data_.size() - std::min(data_.size(), most_begun);
    if (passed > limit_) return StreamOutcome{Kind::overrun, {}, passed};
    if (!eof_) return std::nullopt;
    return StreamOutcome{Kind::incomplete, take(data_.size()), no_number};
  }

 public:
  // Of an IncompleteReadError that had no number to expect.
  static constexpr std::size_t no_number = std::numeric_limits<std::size_t>::max();

 private:
  const std::size_t limit_;
  std::string data_;  // was fed and not read
  bool eof_ = false;
  bool failed_ = false;
};

}  // namespace plait::test
