// StreamWriter, and what connects it and its reader to a transport.
#include <plait/io/stream_writer.hpp>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include <plait/io/transport.hpp>
#include <plait/loop/detail/loop_core.hpp>
#include <plait/loop/sleep.hpp>

#include "io/stream_buffer.hpp"
#include "io/stream_protocol.hpp"
#include "io/tls_transport.hpp"

namespace plait::detail {

void StreamProtocol::connection_made(aio::Transport& transport) {
  if (const auto reader = reader_.lock())
    reader->buffer_->set_transport(transport.shared_from_this());
}

// What nobody will read is received all the same: the other side is not to wait for it.
std::span<char> StreamProtocol::get_buffer() {
  thread_local std::array<char, 4096> nowhere;
  const auto reader = reader_.lock();
  return reader ? reader->buffer_->room() : std::span<char>(nowhere);
}

void StreamProtocol::buffer_updated(std::size_t size) {
  if (const auto reader = reader_.lock()) reader->buffer_->received(size);
}

bool StreamProtocol::eof_received() {
  if (const auto reader = reader_.lock()) reader->buffer_->feed_eof();
  return true;
}

void StreamProtocol::connection_lost(std::exception_ptr error) {
  if (const auto reader = reader_.lock()) {
    reader->buffer_->transport_lost();
    error ? reader->buffer_->set_exception(error) : reader->buffer_->feed_eof();
  }
  error_ = std::move(error);
  closed_.open();
  may_write_.open();
}

std::exception_ptr StreamProtocol::read_error() const {
  const auto reader = reader_.lock();
  return reader ? reader->exception() : nullptr;
}

std::string StreamProtocol::replace_transport(const std::shared_ptr<aio::Transport>& transport) {
  const auto reader = reader_.lock();
  if (!reader) return {};
  StreamBuffer& buffer = *reader->buffer_;
  std::string unread = buffer.take(buffer.size());
  buffer.set_transport(transport);
  return unread;
}

Coroutine<> StreamProtocol::wait_until_may_write() {
  if (!may_write_.is_open()) {
    co_await make_coroutine<void>(new SignalWait<void>(may_write_, "StreamWriter.drain()"));
  }
  if (error_) std::rethrow_exception(error_);
  if (closed_.is_open()) {
    throw std::system_error(ECONNRESET, std::generic_category(), "drain(): Connection lost");
  }
}

Coroutine<> StreamProtocol::wait_closed() {
  co_await make_coroutine<void>(new SignalWait<void>(closed_, "StreamWriter.wait_closed()"));
  if (error_) std::rethrow_exception(error_);
}

}  // namespace plait::detail

namespace plait::aio {

StreamWriter::StreamWriter(std::shared_ptr<Transport> transport,
                           std::shared_ptr<plait::detail::StreamProtocol> protocol)
    : transport_(std::move(transport)), protocol_(std::move(protocol)) {}

StreamWriter::~StreamWriter() {
  try {
    transport_->close();
  } catch (...) {  // out of memory
    transport_->abort();
  }
}

void StreamWriter::write(std::string_view data) { transport_->write(data); }
void StreamWriter::close() { transport_->close(); }
void StreamWriter::abort() { transport_->abort(); }
bool StreamWriter::is_closing() const noexcept { return transport_->is_closing(); }
void StreamWriter::write_eof() { transport_->write_eof(); }
bool StreamWriter::can_write_eof() const noexcept { return transport_->can_write_eof(); }
std::string StreamWriter::peername() const { return transport_->peername(); }
std::string StreamWriter::sockname() const { return transport_->sockname(); }

namespace {

// These keep what they use, as the writer may be dropped before their first step.

// A connection that is being closed is given the turn in which it learns so.
Coroutine<> drained(std::shared_ptr<Transport> transport,
                    std::shared_ptr<plait::detail::StreamProtocol> protocol) {
  if (const auto error = protocol->read_error()) std::rethrow_exception(error);
  if (transport->is_closing()) co_await yield();
  co_await protocol->wait_until_may_write();
}

Coroutine<> closed(std::shared_ptr<plait::detail::StreamProtocol> protocol) {
  co_await protocol->wait_closed();
}

}  // namespace

Coroutine<> StreamWriter::start_tls(std::shared_ptr<void> context,
                                    std::optional<std::string> server_hostname,
                                    Duration ssl_handshake_timeout) {
  plait::detail::TlsSide side;
  side.is_server = protocol_->is_server();
  side.host = server_hostname.value_or("");
  side.handshake_timeout = ssl_handshake_timeout;
  return upgrade(shared_from_this(), std::move(context), std::move(side));
}
Coroutine<> StreamWriter::drain() { return drained(transport_, protocol_); }
// Who writes during the handshake writes to TLS already.
Coroutine<> StreamWriter::upgrade(std::shared_ptr<StreamWriter> self, std::shared_ptr<void> context,
                                  plait::detail::TlsSide side) {
  co_await self->drain();
  auto& core = plait::detail::require_running_core();
  const plait::detail::Handshake handshake(core);
  const auto unread = [&](const std::shared_ptr<Transport>& tls) {
    self->transport_ = tls;
    return self->protocol_->replace_transport(tls);
  };
  auto tls = plait::detail::upgrade_to_tls(core, self->transport_, std::move(context), side,
                                           self->protocol_, handshake.on_end(), unread);
  auto waiting = plait::detail::Handshake::wait(handshake, std::move(tls));
  co_await std::move(waiting);
}
Coroutine<> StreamWriter::wait_closed() { return closed(protocol_); }

}  // namespace plait::aio
