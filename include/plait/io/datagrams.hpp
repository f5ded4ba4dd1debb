// Datagrams: UDP by callbacks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <plait/core/coroutine.hpp>
#include <plait/io/transport.hpp>

namespace plait::aio {

class DatagramTransport;

/// Hears of datagrams. **Python:** asyncio.DatagramProtocol. **Threads:** the loop's.
class DatagramProtocol : public BaseProtocol {
 public:
  /// Datagrams can be sent from now on; the transport lives until connection_lost().
  virtual void connection_made(DatagramTransport&) {}
  /// One has come; the second is where from, as sendto() takes it. Valid during the call.
  virtual void datagram_received(std::string_view, const std::string&) {}
  /// One could not be sent, or was refused; the next ones may do better.
  virtual void error_received(std::exception_ptr) {}
};

/// A socket for datagrams. **Python:** asyncio.DatagramTransport. **Threads:** the loop's.
class DatagramTransport : public std::enable_shared_from_this<DatagramTransport> {
 public:
  virtual ~DatagramTransport() = default;
  DatagramTransport(const DatagramTransport&) = delete;
  DatagramTransport& operator=(const DatagramTransport&) = delete;

  /// Sends one, or keeps it until there is room. `to`: "1.2.3.4:80" or "[::1]:80"; empty: to
  /// remote_addr, which is the only one possible where there is one.
  /// @throws std::invalid_argument for another address
  virtual void sendto(std::string_view data, const std::string& to = {}) = 0;
  /// How many bytes wait to be sent.
  virtual std::size_t get_write_buffer_size() const noexcept = 0;
  /// Sends what waits, then closes; receives nothing more.
  virtual void close() = 0;
  /// Closes at once; what waits is dropped.
  virtual void abort() = 0;
  /// close() or abort() was called.
  virtual bool is_closing() const noexcept = 0;
  /// remote_addr; empty: there is none.
  virtual std::string peername() const = 0;
  /// This side's address.
  virtual std::string sockname() const = 0;

 protected:
  DatagramTransport() = default;
};

/// Where datagrams are received and sent to.
struct DatagramOptions {
  /// Host and port of this side; nullopt: any.
  std::optional<std::pair<std::string, std::uint16_t>> local_addr{};
  /// Host and port of the only other side; nullopt: any number of them.
  std::optional<std::pair<std::string, std::uint16_t>> remote_addr{};
  /// Several sockets may have the same address.
  bool reuse_port = false;
  /// Datagrams may go to broadcast addresses.
  bool allow_broadcast = false;
};

/// Makes the protocol of one socket.
using DatagramFactory = std::function<std::shared_ptr<DatagramProtocol>()>;
/// A socket for datagrams, and who hears of it.
using DatagramEndpoint =
    std::pair<std::shared_ptr<DatagramTransport>, std::shared_ptr<DatagramProtocol>>;

/// Makes a UDP socket. **Python:** loop.create_datagram_endpoint(). **Threads:** the loop's.
/// @throws std::invalid_argument without any address; std::system_error
Coroutine<DatagramEndpoint> create_datagram_endpoint(DatagramFactory factory,
                                                     DatagramOptions options);

}  // namespace plait::aio
