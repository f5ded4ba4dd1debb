// Sending, receiving and the end of a connection.
#include "io/fd_transport.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

#include <plait/core/errors.hpp>
#include <plait/loop/event_loop.hpp>

#include "io/pipe_write.hpp"
#include "io/socket_name.hpp"

namespace plait::detail {
namespace {

// How often a connection receives before others have their turn.
constexpr int receives_at_a_time = 4;

std::exception_ptr system_error(int error, const char* what) {
  return std::make_exception_ptr(std::system_error(error, std::generic_category(), what));
}

// For protocols without a buffer of their own; nothing is kept in it between two calls.
std::span<char> shared_room() {
  thread_local std::vector<char> room(64UL * 1024);
  return room;
}

bool is_character_device(int fd) {
  struct stat status{};
  return ::fstat(fd, &status) == 0 && S_ISCHR(status.st_mode);
}

// Without room nothing could be told from the end.
std::span<char> room_of(aio::BufferedProtocol& protocol) {
  const std::span<char> room = protocol.get_buffer();
  if (!room.empty()) return room;
  throw RuntimeError("get_buffer() returned an empty buffer");
}

bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK; }

}  // namespace

FdTransport::FdTransport(LoopCore& core, OwnedFd fd, Kind kind)
    : core_(core.shared_from_this()),
      watch_(core, std::move(fd), [this] { forget_protocol(); }),
      kind_(kind),
      peername_(kind == Kind::socket ? peer_name(watch_.fd()) : std::string()),
      sockname_(kind == Kind::socket ? own_name(watch_.fd()) : std::string()) {}

FdTransport::~FdTransport() = default;

void FdTransport::start(std::shared_ptr<aio::Protocol> protocol, std::function<void()> on_lost) {
  if (!protocol) {
    throw std::invalid_argument("the protocol factory is empty, or has made no protocol");
  }
  on_lost_ = std::move(on_lost);
  set_protocol(std::move(protocol));
  // What can be read from a terminal says nothing of who reads it.
  if (kind_ == Kind::write_pipe && is_character_device(watch_.fd())) ended_ = true;
  alive_ = self();
  reading_ = true;
  call_protocol("connection_made", [this] { protocol_->connection_made(*this); });
  try {
    watch_reads();
  } catch (...) {
    watch_.close();
    forget_protocol();
    throw;
  }
}

// The loop is being closed: there is nobody to tell the protocol anything, and it may hold this.
void FdTransport::forget_protocol() noexcept {
  const auto self = std::exchange(alive_, nullptr);
  const auto protocol = std::exchange(protocol_, nullptr);
  buffered_ = nullptr;
  on_lost_ = nullptr;
}

void FdTransport::set_protocol(std::shared_ptr<aio::Protocol> protocol) {
  protocol_ = std::move(protocol);
  buffered_ = dynamic_cast<aio::BufferedProtocol*>(protocol_.get());
}

// What a protocol throws ends its connection, and nothing else.
template <class Call>
void FdTransport::call_protocol(const char* function, Call call) {
  if (!protocol_) return;
  const auto keep = protocol_;
  try {
    call();
  } catch (...) {
    const auto error = std::current_exception();
    core_->report(std::string("Fatal error: protocol.") + function + "() call failed.", error);
    lose(error);
  }
}

// ---------------------------------------------------------------- receiving

bool FdTransport::is_reading() const noexcept { return receives(); }

void FdTransport::resume_reading() {
  if (reading_ || is_closing()) return;
  reading_ = true;
  watch_reads();
}

// A pipe that is only written to is watched for the end of who reads it.
void FdTransport::watch_reads() {
  if (watching_reads_ || !receives() || watch_.closed()) return;
  watching_reads_ = true;
  watch_.when_readable([self = self()](const boost::system::error_code& error) {
    self->watching_reads_ = false;
    if (!self->receives()) return;
    if (!error) return self->on_readable();
    if (self->kind_ == Kind::write_pipe) return;  // a file: nobody reads it from there
    self->lose(system_error(error.value(), "this descriptor cannot be waited for"));
  });
}

void FdTransport::on_readable() {
  const ContextScope scope(context_);
  if (kind_ == Kind::write_pipe) {
    // Where nothing was to be sent nothing is lost.
    if (get_write_buffer_size() == 0) return lose(nullptr);
    return lose(system_error(EPIPE, "the pipe's reader has gone"));
  }
  for (int i = 0; i < receives_at_a_time && receives(); ++i) {
    if (!receive()) break;
  }
  watch_reads();
}

// False: there is nothing more for now.
bool FdTransport::receive() {
  std::span<char> room = shared_room();
  if (buffered_) call_protocol("get_buffer", [&] { room = room_of(*buffered_); });
  if (!receives()) return false;
  const std::ptrdiff_t received = receive_some(room);
  if (received < 0 && would_block(errno)) return false;
  if (received < 0) {
    lose(system_error(errno, "receiving"));
    return false;
  }
  if (received == 0) {
    end_reached();
    return false;
  }
  deliver(room, static_cast<std::size_t>(received));
  return static_cast<std::size_t>(received) == room.size();
}

std::ptrdiff_t FdTransport::receive_some(std::span<char> room) const {
  for (;;) {
    const ssize_t received = kind_ == Kind::socket
                                 ? ::recv(watch_.fd(), room.data(), room.size(), 0)
                                 : ::read(watch_.fd(), room.data(), room.size());
    if (received >= 0 || errno != EINTR) return received;
  }
}

void FdTransport::deliver(std::span<char> room, std::size_t size) {
  if (buffered_) {
    call_protocol("buffer_updated", [&] { buffered_->buffer_updated(size); });
  } else {
    call_protocol("data_received", [&] { protocol_->data_received({room.data(), size}); });
  }
}

void FdTransport::end_reached() {
  ended_ = true;
  bool keep_open = false;
  call_protocol("eof_received", [&] { keep_open = protocol_->eof_received(); });
  if (!keep_open || kind_ == Kind::read_pipe) close();
}

// ---------------------------------------------------------------- sending

void FdTransport::write(std::string_view data) {
  if (kind_ == Kind::read_pipe) throw RuntimeError("write(): this pipe is only read");
  if (eof_wanted_) throw RuntimeError("write() after write_eof()");
  if (is_closing() || data.empty()) return;
  if (get_write_buffer_size() == 0) {
    data.remove_prefix(send_now(data));
    if (data.empty() || is_closing()) return;
  }
  if (sent_ > unsent_.size() / 2) unsent_.erase(0, std::exchange(sent_, 0));
  unsent_ += data;
  watch_writes();
  maybe_pause_writing();
}

std::ptrdiff_t FdTransport::send_some(std::string_view data) const {
  for (;;) {
    const ssize_t sent = kind_ == Kind::socket
                             ? ::send(watch_.fd(), data.data(), data.size(), MSG_NOSIGNAL)
                             : write_without_sigpipe(watch_.fd(), data);
    if (sent >= 0 || errno != EINTR) return sent;
  }
}

// How much was sent.
std::size_t FdTransport::send_now(std::string_view data) {
  const std::ptrdiff_t sent = send_some(data);
  if (sent >= 0) return static_cast<std::size_t>(sent);
  if (!would_block(errno)) lose(system_error(errno, "sending"));
  return 0;
}

void FdTransport::watch_writes() {
  if (watching_writes_ || watch_.closed() || stage_ == Stage::lost) return;
  watching_writes_ = true;
  watch_.when_writable([self = self()](const boost::system::error_code& error) {
    self->watching_writes_ = false;
    if (!error && self->stage_ != Stage::lost) self->on_writable();
  });
}

void FdTransport::on_writable() {
  const ContextScope scope(context_);
  sent_ += send_now(std::string_view(unsent_).substr(sent_));
  if (stage_ == Stage::lost) return;
  if (get_write_buffer_size() > 0) {
    watch_writes();
  } else {
    sent_ = 0;
    unsent_.clear();
    if (unsent_.capacity() > high_) unsent_.shrink_to_fit();
    all_sent();
  }
  maybe_resume_writing();
}

void FdTransport::all_sent() {
  if (stage_ == Stage::closing) return lose(nullptr);
  if (!eof_wanted_) return;
  if (kind_ == Kind::socket) {
    ::shutdown(watch_.fd(), SHUT_WR);
  } else {
    close();
  }
}

void FdTransport::write_eof() {
  if (kind_ == Kind::read_pipe) throw RuntimeError("write_eof(): this pipe is only read");
  if (eof_wanted_ || is_closing()) return;
  eof_wanted_ = true;
  if (get_write_buffer_size() == 0) all_sent();
}

void FdTransport::set_write_buffer_limits(std::size_t high, std::size_t low) {
  if (high < low) {
    throw std::invalid_argument("high (" + std::to_string(high) + ") must be >= low (" +
                                std::to_string(low) + ")");
  }
  high_ = high;
  low_ = low;
  maybe_pause_writing();
}

void FdTransport::maybe_pause_writing() {
  if (writing_paused_ || get_write_buffer_size() <= high_) return;
  writing_paused_ = true;
  call_protocol("pause_writing", [this] { protocol_->pause_writing(); });
}

void FdTransport::maybe_resume_writing() {
  if (!writing_paused_ || get_write_buffer_size() > low_) return;
  writing_paused_ = false;
  call_protocol("resume_writing", [this] { protocol_->resume_writing(); });
}

// ---------------------------------------------------------------- its end

void FdTransport::close() {
  if (is_closing()) return;
  stage_ = Stage::closing;
  if (get_write_buffer_size() == 0) lose(nullptr);
}

void FdTransport::lose(std::exception_ptr error) noexcept {
  if (stage_ == Stage::lost) return;
  stage_ = Stage::lost;
  unsent_.clear();
  sent_ = 0;
  if (core_->closed()) return;  // nobody is left to be told
  watch_.stop_waiting();
  error_ = std::move(error);
  alive_ = self();
  core_->push(*this);
}

void FdTransport::run() noexcept {
  const auto alive = self();
  const ContextScope scope(context_);
  connection_lost();
}

void FdTransport::abandon() noexcept { const auto alive = std::exchange(alive_, nullptr); }

void FdTransport::connection_lost() {
  alive_ = nullptr;
  const auto error = std::exchange(error_, nullptr);
  const auto protocol = std::exchange(protocol_, nullptr);
  buffered_ = nullptr;
  try {
    if (protocol) protocol->connection_lost(error);
  } catch (...) {
    core_->report("Exception in protocol.connection_lost()", std::current_exception());
  }
  watch_.close();
  if (const auto on_lost = std::exchange(on_lost_, nullptr)) on_lost();
}

}  // namespace plait::detail
