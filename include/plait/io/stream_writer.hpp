// StreamWriter: bytes that go out, and waiting until they have gone.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <plait/core/coroutine.hpp>

namespace plait::detail {
class StreamProtocol;
}

namespace plait::aio {

class Transport;

/// The sending half of a connection. Dropping it closes the connection.
///
/// write() never blocks and keeps what cannot be sent; `co_await drain()` after it, so that who
/// receives slowly makes the sender wait. **Python:** asyncio.StreamWriter, of which a dropped one
/// stays open. **Threads:** the loop's.
class StreamWriter {
 public:
  /// Made by open_connection() and its like.
  StreamWriter(std::shared_ptr<Transport> transport,
               std::shared_ptr<plait::detail::StreamProtocol> protocol);
  StreamWriter(const StreamWriter&) = delete;
  StreamWriter& operator=(const StreamWriter&) = delete;
  ~StreamWriter();

  /// Sends, or keeps what cannot be sent now. What is written to a lost connection is dropped.
  void write(std::string_view data);
  /// Waits until so much was sent that writing may go on.
  /// @throws what the connection was lost by: std::system_error
  Coroutine<> drain();
  /// Sends what was written, then closes both directions.
  void close();
  /// Closes at once; what was not sent is dropped.
  void abort();
  /// Waits until it is closed. @throws what the connection was lost by, if not by this side
  Coroutine<> wait_closed();
  /// close() or abort() was called, or the connection is lost.
  bool is_closing() const noexcept;
  /// Sends nothing more: the other side reads the end, and may go on sending.
  void write_eof();
  /// Whether write_eof() is possible.
  bool can_write_eof() const noexcept;
  /// The other side's address: "host:port", "[host]:port", a path; empty where it has none.
  std::string peername() const;
  /// As above, this side's.
  std::string sockname() const;
  /// What carries the bytes.
  Transport& transport() const noexcept { return *transport_; }

 private:
  std::shared_ptr<Transport> transport_;
  std::shared_ptr<plait::detail::StreamProtocol> protocol_;
};

}  // namespace plait::aio
