// The errors of streams.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include <plait/core/errors.hpp>

namespace plait::aio {

/// A stream has ended before what was asked for had come.
///
/// **Python:** asyncio.IncompleteReadError.
class IncompleteReadError : public Error {
 public:
  /// `expected`: how many bytes were asked for; nullopt: up to a separator.
  IncompleteReadError(std::string partial, std::optional<std::size_t> expected);

  /// What had come; it is no longer in the reader.
  const std::string& partial() const noexcept { return partial_; }
  /// How many bytes were asked for; nullopt: up to a separator.
  std::optional<std::size_t> expected() const noexcept { return expected_; }

 private:
  std::string partial_;
  std::optional<std::size_t> expected_;
};

/// No separator within the reader's limit. What was received stays in the reader.
///
/// **Python:** asyncio.LimitOverrunError.
class LimitOverrunError : public Error {
 public:
  /// `consumed`: see consumed().
  LimitOverrunError(const std::string& what, std::size_t consumed)
      : Error(what), consumed_(consumed) {}

  /// How many bytes are certainly no part of a separator: as many may be read and dropped.
  std::size_t consumed() const noexcept { return consumed_; }

 private:
  std::size_t consumed_;
};

}  // namespace plait::aio
