// StreamWriter: bytes that go out, and waiting until they have gone.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <plait/core/clock.hpp>
#include <plait/core/coroutine.hpp>

namespace plait::detail {
class StreamProtocol;
struct TlsSide;
}  // namespace plait::detail

namespace plait::aio {

class Transport;

/// The sending half of a connection. Dropping it closes the connection.
///
/// write() never blocks and keeps what cannot be sent; `co_await drain()` after it, so that who
/// receives slowly makes the sender wait. **Python:** asyncio.StreamWriter, of which a dropped one
/// stays open. **Threads:** the loop's.
class StreamWriter : public std::enable_shared_from_this<StreamWriter> {
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
  /// Goes on by TLS, once what was written is sent: reader and writer then carry what is behind it.
  ///
  /// What the reader holds unread is taken as the beginning of the handshake. `context`: a
  /// `boost::asio::ssl::context`; a writer of start_server() is the server's side.
  /// `server_hostname`: whom the certificate of a server has to name; nullopt: anybody. **Python:**
  /// the same.
  /// **Cancellation:** closes the connection.
  /// @throws std::system_error where the handshake fails, which closes the connection;
  /// std::invalid_argument without a context or for what is no plain socket's
  Coroutine<> start_tls(std::shared_ptr<void> context,
                        std::optional<std::string> server_hostname = {},
                        Duration ssl_handshake_timeout = std::chrono::seconds(60));
  /// The other side's address: "host:port", "[host]:port", a path; empty where it has none.
  std::string peername() const;
  /// As above, this side's.
  std::string sockname() const;
  /// What carries the bytes.
  Transport& transport() const noexcept { return *transport_; }

 private:
  static Coroutine<> upgrade(std::shared_ptr<StreamWriter> self, std::shared_ptr<void> context,
                             plait::detail::TlsSide side);

  std::shared_ptr<Transport> transport_;
  std::shared_ptr<plait::detail::StreamProtocol> protocol_;
};

}  // namespace plait::aio
