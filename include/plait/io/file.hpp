// Files, without blocking the loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include <plait/core/coroutine.hpp>

namespace plait::detail {
class FileState;
}

namespace plait::aio {

/// An open file. Its operations run one after the other in the order of their awaits: in the loop's
/// default executor, or by io_uring where plait is built on that and the file is a regular one,
/// which is then closed with its loop at the latest. Dropping it closes it.
///
/// **Python:** a file object of open(), which asyncio leaves to threads. **Threads:** the loop's.
/// **Cancellation:** what has begun goes on to its end, of which nobody hears; later operations
/// wait for it. Errors are std::system_error.
class File {
 public:
  /// Made by open().
  explicit File(std::shared_ptr<plait::detail::FileState> state) noexcept;

  /// Up to `n` bytes, all that are left if `n` is negative. Empty: it is at its end.
  Coroutine<std::string> read(std::ptrdiff_t n = -1);
  /// Writes all of `data` and gives its length.
  Coroutine<std::size_t> write(std::string data);
  /// Goes to `offset`, counted from the beginning (`whence` 0), the present place (1) or the end
  /// (2), and gives the new place.
  /// @throws std::invalid_argument for any other `whence`
  Coroutine<std::uint64_t> seek(std::int64_t offset, int whence = 0);
  /// Closes it; doing so twice is no error. What comes after it throws std::system_error, EBADF.
  Coroutine<> close();

 private:
  std::shared_ptr<plait::detail::FileState> state_;
};

/// Opens a file. `mode` is Python's: "r", "w" (emptied), "a" (at the end), "x" (must be new), each
/// with "+" for reading and writing; "b" and "t" say nothing here.
///
/// **Python:** open(). **Threads:** the loop's.
/// @throws std::system_error; std::invalid_argument for another mode
Coroutine<std::shared_ptr<File>> open(std::filesystem::path path, std::string mode = "r");

}  // namespace plait::aio
