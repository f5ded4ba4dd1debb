// TLS: OpenSSL between two protocols, its bytes in memory.
#include "io/tls_transport.hpp"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/error.hpp>
#include <plait/core/errors.hpp>

#include "io/tls_connection.hpp"

namespace plait::detail {
namespace {

// How much may wait for a handshake within a connection before the protocol is told to pause.
constexpr std::size_t waiting_limit = 64UL * 1024;

std::exception_ptr took_too_long(Duration limit) {
  const auto seconds = std::chrono::duration<double>(limit).count();
  return std::make_exception_ptr(std::system_error(
      ECONNABORTED, std::generic_category(),
      "the TLS handshake has taken longer than " + std::to_string(seconds) + " s"));
}

std::exception_ptr closed_early() {
  return std::make_exception_ptr(
      std::system_error(ECONNABORTED, std::generic_category(), "closed during the TLS handshake"));
}

// What OpenSSL has to say, once.
std::exception_ptr tls_error(const char* what) {
  const auto code = ::ERR_get_error();
  ::ERR_clear_error();
  if (code == 0) {
    return std::make_exception_ptr(std::system_error(ECONNABORTED, std::generic_category(), what));
  }
  const boost::system::error_code error(static_cast<int>(code),
                                        boost::asio::error::get_ssl_category());
  return std::make_exception_ptr(std::system_error(error, what));
}

// What the transport below tells goes to the one above. Dropped when the connection is lost, and
// with it the circle of the three.
class Below final : public aio::Protocol {
 public:
  explicit Below(std::shared_ptr<TlsTransport> tls) : tls_(std::move(tls)) {}
  ~Below() override { tls_->forget(); }

  void connection_made(aio::Transport&) override { tls_->begin({}); }
  void data_received(std::string_view data) override { tls_->received(data); }
  bool eof_received() override {
    tls_->ended();
    return false;
  }
  void connection_lost(std::exception_ptr error) override { tls_->lost(std::move(error)); }
  void pause_writing() override { tls_->pause_below(true); }
  void resume_writing() override { tls_->pause_below(false); }

 private:
  const std::shared_ptr<TlsTransport> tls_;
};

// Numbers have no place in a handshake's server_name. Either counts where the context verifies.
void expect_host(SSL* ssl, const std::string& host) {
  if (host.empty()) return;
  const bool is_address = ::X509_VERIFY_PARAM_set1_ip_asc(::SSL_get0_param(ssl), host.c_str()) == 1;
  ::ERR_clear_error();
  if (is_address) return;
  ::SSL_set_tlsext_host_name(ssl, host.c_str());
  if (::SSL_set1_host(ssl, host.c_str()) == 1) return;
  std::rethrow_exception(tls_error("SSL_set1_host()"));
}

SSL* new_ssl(const std::shared_ptr<void>& context) {
  if (!context) throw std::invalid_argument("TLS needs a boost::asio::ssl::context");
  if (SSL* const ssl =
          ::SSL_new(static_cast<boost::asio::ssl::context*>(context.get())->native_handle())) {
    return ssl;
  }
  std::rethrow_exception(tls_error("SSL_new()"));
}

}  // namespace

TlsTransport::TlsTransport(LoopCore& core, std::shared_ptr<FdTransport> below,
                           std::shared_ptr<void> context, const TlsSide& side,
                           std::shared_ptr<aio::Protocol> protocol, OnHandshake on_handshake,
                           bool is_upgrade)
    : core_(core),
      below_(std::move(below)),
      context_(std::move(context)),
      ssl_(new_ssl(context_)),
      is_upgrade_(is_upgrade),
      handshake_limit_(side.handshake_timeout),
      on_handshake_(std::move(on_handshake)) {
  if (handshake_limit_ <= Duration::zero()) {
    throw std::invalid_argument("ssl_handshake_timeout has to be positive");
  }
  set_protocol(std::move(protocol));
  ::SSL_set_bio(ssl_.get(), ::BIO_new(::BIO_s_mem()), ::BIO_new(::BIO_s_mem()));
  ::SSL_set_mode(ssl_.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (side.is_server) {
    ::SSL_set_accept_state(ssl_.get());
  } else {
    ::SSL_set_connect_state(ssl_.get());
    expect_host(ssl_.get(), side.host);
  }
}

void TlsTransport::set_protocol(std::shared_ptr<aio::Protocol> protocol) {
  protocol_ = std::move(protocol);
  buffered_ = dynamic_cast<aio::BufferedProtocol*>(protocol_.get());
}

template <class Call>
void TlsTransport::call_protocol(const char* function, Call call) {
  if (!protocol_ || !is_known()) return;
  const auto keep = protocol_;
  try {
    call();
  } catch (...) {
    const auto error = std::current_exception();
    core_.report(std::string("Fatal error: protocol.") + function + "() call failed.", error);
    fail(error);
  }
}

// ---------------------------------------------------------------- beginning

void TlsTransport::take_over_pause(bool told) {
  below_paused_ = below_->writing_paused();
  writing_paused_ = told;
  update_pause();
}

void TlsTransport::begin(std::string_view received) {
  const auto aborted = [weak = weak_from_this(), this] {
    const auto self = weak.lock();
    if (self && stage_ == Stage::handshaking) fail(took_too_long(handshake_limit_));
  };
  time_limit_ = core_.loop().call_later(handshake_limit_, aborted);
  ::BIO_write(::SSL_get_rbio(ssl_.get()), received.data(), static_cast<int>(received.size()));
  handshake();
}

void TlsTransport::handshake() {
  ::ERR_clear_error();  // of others in this thread
  const int result = ::SSL_do_handshake(ssl_.get());
  const int error = ::SSL_get_error(ssl_.get(), result);
  flush();
  if (result != 1 && error == SSL_ERROR_WANT_READ) return;
  if (result != 1) return fail(tls_error("the TLS handshake has failed"));
  stage_ = Stage::open;
  if (!reading_) below_->pause_reading();
  end_handshake(nullptr);
  if (!is_upgrade_) call_protocol("connection_made", [this] { protocol_->connection_made(*this); });
  pump();
}

void TlsTransport::end_handshake(const std::exception_ptr& error) {
  if (time_limit_) time_limit_->cancel();
  time_limit_.reset();
  if (const auto told = std::exchange(on_handshake_, nullptr)) told(error);
}

void TlsTransport::fail(std::exception_ptr error) {
  if (stage_ == Stage::open) stage_ = Stage::closing;
  if (!error_) error_ = std::move(error);
  below_->abort();
}

// ---------------------------------------------------------------- receiving

void TlsTransport::received(std::string_view data) {
  ::BIO_write(::SSL_get_rbio(ssl_.get()), data.data(), static_cast<int>(data.size()));
  stage_ == Stage::handshaking ? handshake() : pump();
}

void TlsTransport::pump() {
  while (is_reading() && pump_some()) {
  }
  send_waiting();
  flush();  // it may have had to answer
}

// False: there is nothing more for now.
bool TlsTransport::pump_some() {
  thread_local std::vector<char> shared_room(16UL * 1024);
  std::span<char> room = shared_room;
  if (buffered_) call_protocol("get_buffer", [&] { room = buffered_->get_buffer(); });
  if (!is_reading()) return false;
  std::size_t size = 0;
  ::ERR_clear_error();
  const int result = ::SSL_read_ex(ssl_.get(), room.data(), room.size(), &size);
  if (result == 1) {
    if (buffered_) {
      call_protocol("buffer_updated", [&] { buffered_->buffer_updated(size); });
    } else {
      call_protocol("data_received", [&] { protocol_->data_received({room.data(), size}); });
    }
    return true;
  }
  switch (::SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return false;
    case SSL_ERROR_ZERO_RETURN:
      ended();
      return false;
    default:
      fail(tls_error("receiving by TLS"));
      return false;
  }
}

// By close_notify, or by the end of the stream below: TLS has no half-closed connection.
void TlsTransport::ended() {
  if (stage_ == Stage::handshaking) {
    return fail(std::make_exception_ptr(std::system_error(
        ECONNRESET, std::generic_category(), "the connection ended during the TLS handshake")));
  }
  if (stage_ != Stage::open) return;
  call_protocol("eof_received", [this] { protocol_->eof_received(); });
  waiting_.clear();  // no handshake will end any more
  close();
}

void TlsTransport::pause_reading() {
  reading_ = false;
  if (stage_ != Stage::handshaking) below_->pause_reading();
}

// What was received already comes in a turn of its own: not within a call of the user's.
void TlsTransport::resume_reading() {
  if (reading_ || is_closing() || core_.closed()) return;
  reading_ = true;
  // The end of the stream below must not overtake what lies here.
  core_.loop().call_soon([self = shared_from_this(), this] {
    pump();
    if (reading_ && !is_closing()) below_->resume_reading();
  });
}

// ---------------------------------------------------------------- sending

void TlsTransport::write(std::string_view data) {
  if (is_closing() || data.empty()) return;
  if (stage_ == Stage::open && waiting_.empty()) data.remove_prefix(encrypt(data));
  if (data.empty() || is_closing()) return;
  waiting_ += data;
  update_pause();
}

// How much of it was sent; the rest has to wait for a handshake that the other side has begun.
std::size_t TlsTransport::encrypt(std::string_view data) {
  std::size_t sent = 0;
  while (sent < data.size()) {
    std::size_t written = 0;
    ::ERR_clear_error();
    const int result = ::SSL_write_ex(ssl_.get(), data.data() + sent, data.size() - sent, &written);
    if (result != 1) {
      if (::SSL_get_error(ssl_.get(), result) != SSL_ERROR_WANT_READ) {
        fail(tls_error("sending by TLS"));
      }
      break;
    }
    sent += written;
    flush();  // piece by piece: memory holds one encrypted
  }
  flush();
  return sent;
}

void TlsTransport::send_waiting() {
  if (waiting_.empty() || stage_ == Stage::handshaking || stage_ == Stage::lost || error_) return;
  waiting_.erase(0, encrypt(waiting_));
  if (waiting_.empty()) {
    std::exchange(waiting_, {});
    if (stage_ == Stage::closing) return shut_down();
  }
  update_pause();
}

void TlsTransport::pause_below(bool pause) {
  below_paused_ = pause;
  update_pause();
}

void TlsTransport::update_pause() {
  const bool pause = below_paused_ || waiting_.size() > waiting_limit;
  if (pause == writing_paused_ || !is_known() || !protocol_) return;
  writing_paused_ = pause;
  call_protocol(pause ? "pause_writing" : "resume_writing",
                [&] { pause ? protocol_->pause_writing() : protocol_->resume_writing(); });
}

void TlsTransport::flush() {
  BIO* const bytes = ::SSL_get_wbio(ssl_.get());
  std::array<char, 16UL * 1024> piece;
  for (;;) {
    const int size = ::BIO_read(bytes, piece.data(), static_cast<int>(piece.size()));
    if (size <= 0) return;
    below_->write({piece.data(), static_cast<std::size_t>(size)});
  }
}

// ---------------------------------------------------------------- its end

void TlsTransport::close() {
  if (is_closing()) return;
  if (stage_ == Stage::handshaking) return abort();
  stage_ = Stage::closing;
  if (waiting_.empty()) shut_down();
}

void TlsTransport::shut_down() {
  ::ERR_clear_error();
  ::SSL_shutdown(ssl_.get());
  ::ERR_clear_error();
  flush();
  below_->close();
}

void TlsTransport::abort() {
  if (stage_ == Stage::open) stage_ = Stage::closing;
  below_->abort();
}

void TlsTransport::lost(std::exception_ptr error) {
  const bool known = is_known();
  stage_ = Stage::lost;
  if (error_) error = std::move(error_);
  if (on_handshake_) end_handshake(error ? error : closed_early());
  const auto protocol = std::exchange(protocol_, nullptr);
  buffered_ = nullptr;
  if (known && protocol) protocol->connection_lost(std::move(error));
}

// The connection is lost, the loop is being closed, or somebody else was made its protocol.
void TlsTransport::forget() noexcept {
  stage_ = Stage::lost;
  if (on_handshake_ && !core_.closed()) end_handshake(closed_early());
  on_handshake_ = nullptr;
  time_limit_.reset();
  buffered_ = nullptr;
  const auto protocol = std::exchange(protocol_, nullptr);
}

// ---------------------------------------------------------------- making one

std::shared_ptr<aio::Transport> begin_tls(LoopCore& core, const std::shared_ptr<FdTransport>& below,
                                          std::shared_ptr<void> context, const TlsSide& side,
                                          std::shared_ptr<aio::Protocol> protocol,
                                          OnHandshake on_handshake, std::function<void()> on_lost) {
  if (!protocol) throw std::invalid_argument("the protocol factory has made no protocol");
  const auto tls = std::make_shared<TlsTransport>(
      core, below, std::move(context), side, std::move(protocol), std::move(on_handshake), false);
  below->start(std::make_shared<Below>(tls), std::move(on_lost));
  return tls;
}

std::shared_ptr<aio::Transport> upgrade_to_tls(
    LoopCore& core, const std::shared_ptr<aio::Transport>& below, std::shared_ptr<void> context,
    const TlsSide& side, std::shared_ptr<aio::Protocol> protocol, OnHandshake on_handshake,
    const std::function<std::string(const std::shared_ptr<aio::Transport>&)>& take_unread) {
  const auto plain = std::dynamic_pointer_cast<FdTransport>(below);
  const auto before = plain ? plain->get_protocol() : nullptr;
  if (!plain || !plain->is_socket() || std::dynamic_pointer_cast<Below>(before)) {
    throw std::invalid_argument("start_tls() is for a socket's transport that has no TLS yet");
  }
  if (!protocol) throw std::invalid_argument("start_tls() needs a protocol");
  if (plain->is_closing() || plain->has_ended() || plain->eof_wanted()) {
    throw std::system_error(ECONNRESET, std::generic_category(),
                            "start_tls(): the connection has ended, in one direction at least");
  }
  const bool told = plain->writing_paused() && protocol == before;
  const auto tls = std::make_shared<TlsTransport>(
      core, plain, std::move(context), side, std::move(protocol), std::move(on_handshake), true);
  const std::string unread = take_unread ? take_unread(tls) : std::string();
  plain->set_protocol(std::make_shared<Below>(tls));
  plain->resume_reading();
  tls->take_over_pause(told);
  try {
    tls->begin(unread);
  } catch (...) {
    tls->abort();
    throw;
  }
  return tls;
}

}  // namespace plait::detail
