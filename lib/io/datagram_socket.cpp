// Sending and receiving datagrams.
#include "io/datagram_socket.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

#include <plait/loop/event_loop.hpp>

#include "io/socket_name.hpp"

namespace plait::detail {
namespace {

// When the protocol is told to pause and to go on.
constexpr std::size_t high_limit = 64UL * 1024;
constexpr std::size_t low_limit = 16UL * 1024;
// How many are received before others have their turn.
constexpr int receives_at_a_time = 16;
constexpr std::size_t longest_datagram = 64UL * 1024;

std::exception_ptr system_error(int error, const char* what) {
  return std::make_exception_ptr(std::system_error(error, std::generic_category(), what));
}
bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK; }

}  // namespace

DatagramSocket::DatagramSocket(LoopCore& core, OwnedFd fd)
    : core_(core.shared_from_this()),
      watch_(core, std::move(fd), [this] { forget_protocol(); }),
      peername_(peer_name(watch_.fd())),
      sockname_(own_name(watch_.fd())) {}

// See FdTransport.
void DatagramSocket::forget_protocol() noexcept {
  const auto self = weak_from_this().lock();
  const auto protocol = std::exchange(protocol_, nullptr);
}

void DatagramSocket::start(std::shared_ptr<aio::DatagramProtocol> protocol) {
  protocol_ = std::move(protocol);
  call_protocol([this] { protocol_->connection_made(*this); });
  watch_reads();
}

// What a protocol throws ends its socket, and nothing else.
template <class Call>
void DatagramSocket::call_protocol(Call call) {
  if (!protocol_) return;
  const auto keep = protocol_;
  try {
    call();
  } catch (...) {
    core_->report("Fatal error on datagram transport: its protocol has thrown",
                  std::current_exception());
    lose();
  }
}

// ---------------------------------------------------------------- receiving

void DatagramSocket::watch_reads() {
  if (stage_ != Stage::open || watch_.closed()) return;
  watch_.when_readable([self = self()](const boost::system::error_code& error) {
    if (!error && self->stage_ == Stage::open) self->on_readable();
  });
}

void DatagramSocket::on_readable() {
  const ContextScope scope(context_);
  for (int i = 0; i < receives_at_a_time && stage_ == Stage::open; ++i) {
    if (!receive()) break;
  }
  watch_reads();
}

// False: there is nothing more for now.
bool DatagramSocket::receive() {
  thread_local std::vector<char> room(longest_datagram);
  SocketAddress from;
  from.size = sizeof from.storage;
  // SAFETY: this is how the sockets API shows addresses of all kinds.
  const ssize_t received = ::recvfrom(watch_.fd(), room.data(), room.size(), 0,
                                      reinterpret_cast<sockaddr*>(&from.storage), &from.size);
  if (received < 0 && would_block(errno)) return false;
  if (received < 0 && errno == EINTR) return true;
  if (received < 0) {
    const auto error = system_error(errno, "receiving a datagram");
    call_protocol([&] { protocol_->error_received(error); });
    return true;
  }
  const std::string_view data(room.data(), static_cast<std::size_t>(received));
  call_protocol([&] { protocol_->datagram_received(data, from.text()); });
  return true;
}

// ---------------------------------------------------------------- sending

void DatagramSocket::sendto(std::string_view data, const std::string& to) {
  if (is_closing()) return;
  if (!to.empty() && !peername_.empty() && to != peername_) {
    throw std::invalid_argument("this socket sends to " + peername_ + " only, not to " + to);
  }
  if (to.empty() && peername_.empty()) {
    throw std::invalid_argument("sendto() needs an address, as this socket has no remote_addr");
  }
  const SocketAddress address = peername_.empty() ? parse_address(to) : SocketAddress();
  if (unsent_.empty() && send(data, address)) return;
  unsent_.push_back({std::string(data), address});
  unsent_size_ += data.size();
  if (unsent_.size() == 1) watch_writes();
  if (unsent_size_ <= high_limit || std::exchange(writing_paused_, true)) return;
  call_protocol([this] { protocol_->pause_writing(); });
}

// False: there is no room for it.
bool DatagramSocket::send(std::string_view data, const SocketAddress& to) {
  for (;;) {
    const ssize_t sent = ::sendto(watch_.fd(), data.data(), data.size(), MSG_NOSIGNAL,
                                  to.size > 0 ? to.get() : nullptr, to.size);
    if (sent >= 0) return true;
    if (would_block(errno)) return false;
    if (errno == EINTR) continue;
    const auto error = system_error(errno, "sending a datagram");
    call_protocol([&] { protocol_->error_received(error); });
    return true;
  }
}

void DatagramSocket::watch_writes() {
  if (watch_.closed()) return;
  watch_.when_writable([self = self()](const boost::system::error_code& error) {
    if (!error && self->stage_ != Stage::lost) self->on_writable();
  });
}

void DatagramSocket::on_writable() {
  const ContextScope scope(context_);
  while (!unsent_.empty() && send(unsent_.front().data, unsent_.front().to)) {
    if (stage_ == Stage::lost) return;
    unsent_size_ -= unsent_.front().data.size();
    unsent_.pop_front();
  }
  if (!unsent_.empty()) {
    watch_writes();
  } else if (stage_ == Stage::closing) {
    return lose();
  }
  if (unsent_size_ > low_limit || !std::exchange(writing_paused_, false)) return;
  call_protocol([this] { protocol_->resume_writing(); });
}

// ---------------------------------------------------------------- its end

void DatagramSocket::close() {
  if (is_closing()) return;
  stage_ = Stage::closing;
  if (unsent_.empty()) lose();
}

void DatagramSocket::lose() {
  if (stage_ == Stage::lost) return;
  stage_ = Stage::lost;
  if (core_->closed()) return;  // nobody is left to be told
  watch_.stop_waiting();
  core_->loop().call_soon([self = self()] {
    const ContextScope scope(self->context_);
    self->unsent_.clear();
    const auto protocol = std::exchange(self->protocol_, nullptr);
    try {
      if (protocol) protocol->connection_lost(nullptr);
    } catch (...) {
      self->core_->report("Exception in protocol.connection_lost()", std::current_exception());
    }
    self->watch_.close();
  });
}

}  // namespace plait::detail
