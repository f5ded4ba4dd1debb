// StreamReader: bytes that come in, to be read in pieces of the reader's choice.
#pragma once

#include <cstddef>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <plait/core/coroutine.hpp>
#include <plait/loop/async_generator.hpp>

namespace plait::detail {
class StreamBuffer;
class StreamProtocol;
}  // namespace plait::detail

namespace plait::aio {

/// What has come and was not read yet, and waiting for more.
///
/// When more than twice the limit lies here, the transport stops receiving until half of it was
/// read. One task at a time may wait; for a second one that is a RuntimeError. Dropping it drops
/// what comes from then on, and who waits gets a RuntimeError.
/// **Python:** asyncio.StreamReader. **Threads:** the loop's.
/// **Cancellation:** of a read loses nothing: what has come stays here.
class StreamReader {
 public:
  /// A reader that is fed by hand. `limit`: the length of the longest line, in bytes.
  /// @throws std::invalid_argument for a limit of 0
  explicit StreamReader(std::size_t limit = 64UL * 1024);
  StreamReader(const StreamReader&) = delete;
  StreamReader& operator=(const StreamReader&) = delete;
  ~StreamReader();

  /// Adds bytes to what can be read. @throws RuntimeError after feed_eof()
  void feed_data(std::string_view data);
  /// Nothing more will come.
  void feed_eof();
  /// From now on every read throws it.
  void set_exception(std::exception_ptr error);
  /// What reads throw; null: nothing.
  std::exception_ptr exception() const noexcept;

  /// Up to `n` bytes, as soon as there are any; all until the end if `n` is negative. Empty: it has
  /// ended.
  Coroutine<std::string> read(std::ptrdiff_t n = -1);
  /// `n` bytes. @throws IncompleteReadError if fewer come; std::invalid_argument for a negative n
  Coroutine<std::string> readexactly(std::size_t n);
  /// Up to and with the next "\n"; what is there if it has ended; empty at the very end.
  /// @throws std::invalid_argument for a line over the limit, which is dropped as far as it has
  /// come
  Coroutine<std::string> readline();
  /// Up to and with the separator. @throws IncompleteReadError if it does not come;
  /// LimitOverrunError, and all stays here; std::invalid_argument for an empty one
  Coroutine<std::string> readuntil(std::string separator = "\n");
  /// As above, up to whichever of them ends first.
  Coroutine<std::string> readuntil(std::vector<std::string> separators);
  /// The lines that are left, one after the other: see readline(). **Python:** `async for`.
  AsyncGenerator<std::string> lines();
  /// It has ended and all was read.
  bool at_eof() const noexcept;

 private:
  friend plait::detail::StreamProtocol;

  std::shared_ptr<plait::detail::StreamBuffer> buffer_;  // who reads keeps it, too
};

}  // namespace plait::aio
