// Transports, which carry bytes, and protocols, which say what becomes of them: I/O by callbacks.
#pragma once

#include <cstddef>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace plait::aio {

class Transport;

/// What is told of a connection; everything in the loop's thread.
///
/// connection_made(), then what the kind of protocol says, then connection_lost(), each of them
/// once. What a function throws is reported to the loop's exception handler and ends the
/// connection.
/// **Python:** asyncio.BaseProtocol.
class BaseProtocol {
 public:
  virtual ~BaseProtocol() = default;
  BaseProtocol(const BaseProtocol&) = delete;
  BaseProtocol& operator=(const BaseProtocol&) = delete;
  /// It is closed. Null: by this side, or orderly by the other one.
  virtual void connection_lost(std::exception_ptr) {}
  /// More than the high limit waits to be sent: do not write until resume_writing().
  virtual void pause_writing() {}
  /// As much was sent that writing may go on.
  virtual void resume_writing() {}

 protected:
  BaseProtocol() = default;
};

/// Hears of one stream of bytes. **Python:** asyncio.Protocol.
class Protocol : public BaseProtocol {
 public:
  /// Bytes can be sent from now on; the transport lives until connection_lost().
  virtual void connection_made(Transport&) {}
  /// Some bytes have come; they are valid during the call.
  virtual void data_received(std::string_view) {}
  /// The other side sends nothing more. True: this side goes on sending, and has to close().
  virtual bool eof_received() { return false; }
};

/// A Protocol that says where bytes are received to. **Python:** asyncio.BufferedProtocol.
class BufferedProtocol : public Protocol {
 public:
  /// Room for what comes next, at least one byte, which stays valid until buffer_updated().
  virtual std::span<char> get_buffer() = 0;
  /// So many bytes are there.
  virtual void buffer_updated(std::size_t size) = 0;
};

/// One end of a connection. **Python:** asyncio.Transport. **Threads:** the loop's.
class Transport : public std::enable_shared_from_this<Transport> {
 public:
  virtual ~Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  // -- sending
  /// Sends, or keeps what cannot be sent now; never blocks. What is written after the connection
  /// was lost is dropped. @throws RuntimeError after write_eof()
  virtual void write(std::string_view data) = 0;
  /// Sends nothing more, once what was written is sent; the other side sees the end.
  virtual void write_eof() = 0;
  /// Whether write_eof() is possible: not with TLS.
  virtual bool can_write_eof() const noexcept = 0;
  /// False: it only receives.
  virtual bool can_write() const noexcept = 0;
  /// How many bytes wait to be sent.
  virtual std::size_t get_write_buffer_size() const noexcept = 0;
  /// When the protocol is told to pause and to go on; 64 KiB and 16 KiB.
  /// @throws std::invalid_argument for high < low
  virtual void set_write_buffer_limits(std::size_t high, std::size_t low) = 0;

  // -- receiving
  /// Nothing is received until resume_reading(); doing so twice is no error.
  virtual void pause_reading() = 0;
  /// Receives again; nothing comes during this call.
  virtual void resume_reading() = 0;
  /// It receives.
  virtual bool is_reading() const noexcept = 0;

  // -- its end
  /// Sends what was written, then closes; receives nothing more.
  virtual void close() = 0;
  /// Closes at once; what was not sent is dropped.
  virtual void abort() = 0;
  /// close() or abort() was called, or the connection is lost.
  virtual bool is_closing() const noexcept = 0;

  // -- what it is
  /// From now on another one hears of it.
  virtual void set_protocol(std::shared_ptr<Protocol> protocol) = 0;
  /// Who hears of it.
  virtual std::shared_ptr<Protocol> get_protocol() const = 0;
  /// The other side's address: "host:port", "[host]:port", a path; empty where it has none.
  virtual std::string peername() const = 0;
  /// As above, this side's.
  virtual std::string sockname() const = 0;
  /// The descriptor; -1 once it is closed. Not to be closed, read or written.
  virtual int fileno() const noexcept = 0;

 protected:
  Transport() = default;
};

}  // namespace plait::aio
