// TLS: OpenSSL between two protocols, its bytes in memory.
#include "io/tls_transport.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/error.hpp>
#include <plait/core/errors.hpp>
#include <plait/loop/detail/loop_core.hpp>
#include <plait/loop/event_loop.hpp>

#include "io/fd_transport.hpp"

namespace plait::detail {
namespace {

//   handshaking ──▶ open ── close(), the other side's close_notify ──▶ closing ──▶ lost
//        └──────────── the handshake has failed, abort(), the connection is lost ───▲

struct FreeSsl {
  void operator()(SSL* ssl) const noexcept { ::SSL_free(ssl); }
};

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

class TlsTransport final : public aio::Transport {
 public:
  TlsTransport(LoopCore& core, std::shared_ptr<FdTransport> below, std::shared_ptr<void> context,
               const TlsSide& side, std::shared_ptr<aio::Protocol> protocol,
               std::function<void(std::exception_ptr)> on_handshake);

  // -- for what is below
  void handshake();
  void received(std::string_view data);
  void ended();
  void lost(std::exception_ptr error);
  void forget() noexcept;
  template <class Call>
  void call_protocol(const char* function, Call call);
  const std::shared_ptr<aio::Protocol>& protocol() const noexcept { return protocol_; }

  // -- see Transport
  void write(std::string_view data) override;
  void write_eof() override {
    throw RuntimeError("write_eof(): TLS has no half-closed connection");
  }
  bool can_write_eof() const noexcept override { return false; }
  bool can_write() const noexcept override { return true; }
  std::size_t get_write_buffer_size() const noexcept override {
    return early_.size() + below_->get_write_buffer_size();
  }
  void set_write_buffer_limits(std::size_t high, std::size_t low) override {
    below_->set_write_buffer_limits(high, low);
  }
  void pause_reading() override;
  void resume_reading() override;
  bool is_reading() const noexcept override { return stage_ == Stage::open && reading_; }
  void close() override;
  void abort() override;
  bool is_closing() const noexcept override { return stage_ >= Stage::closing; }
  void set_protocol(std::shared_ptr<aio::Protocol> protocol) override;
  std::shared_ptr<aio::Protocol> get_protocol() const override { return protocol_; }
  std::string peername() const override { return below_->peername(); }
  std::string sockname() const override { return below_->sockname(); }
  int fileno() const noexcept override { return below_->fileno(); }

 private:
  enum class Stage { handshaking, open, closing, lost };

  void pump();
  bool pump_some();
  void flush();
  void fail(std::exception_ptr error);

  LoopCore& core_;  // below_ keeps it
  const std::shared_ptr<FdTransport> below_;
  const std::shared_ptr<void> context_;
  const std::unique_ptr<SSL, FreeSsl> ssl_;
  std::shared_ptr<aio::Protocol> protocol_;  // null: lost
  aio::BufferedProtocol* buffered_ = nullptr;
  std::function<void(std::exception_ptr)> on_handshake_;  // null: it is over
  Stage stage_ = Stage::handshaking;
  bool reading_ = true;
  std::string early_;         // written before the handshake was over
  std::exception_ptr error_;  // what it is lost by, if not by what is below
};

// What the transport below tells goes to the one above. Dropped when the connection is lost, and
// with it the circle of the three.
class Below final : public aio::Protocol {
 public:
  explicit Below(std::shared_ptr<TlsTransport> tls) : tls_(std::move(tls)) {}
  ~Below() override { tls_->forget(); }

  void connection_made(aio::Transport&) override { tls_->handshake(); }
  void data_received(std::string_view data) override { tls_->received(data); }
  bool eof_received() override {
    tls_->ended();
    return false;
  }
  void connection_lost(std::exception_ptr error) override { tls_->lost(std::move(error)); }
  void pause_writing() override {
    tls_->call_protocol("pause_writing", [this] { tls_->protocol()->pause_writing(); });
  }
  void resume_writing() override {
    tls_->call_protocol("resume_writing", [this] { tls_->protocol()->resume_writing(); });
  }

 private:
  const std::shared_ptr<TlsTransport> tls_;
};

TlsTransport::TlsTransport(LoopCore& core, std::shared_ptr<FdTransport> below,
                           std::shared_ptr<void> context, const TlsSide& side,
                           std::shared_ptr<aio::Protocol> protocol,
                           std::function<void(std::exception_ptr)> on_handshake)
    : core_(core),
      below_(std::move(below)),
      context_(std::move(context)),
      ssl_(::SSL_new(static_cast<boost::asio::ssl::context*>(context_.get())->native_handle())),
      on_handshake_(std::move(on_handshake)) {
  if (!ssl_) std::rethrow_exception(tls_error("SSL_new()"));
  set_protocol(std::move(protocol));
  ::SSL_set_bio(ssl_.get(), ::BIO_new(::BIO_s_mem()), ::BIO_new(::BIO_s_mem()));
  if (side.is_server) {
    ::SSL_set_accept_state(ssl_.get());
    return;
  }
  ::SSL_set_connect_state(ssl_.get());
  if (side.host.empty()) return;
  ::SSL_set_tlsext_host_name(ssl_.get(), side.host.c_str());
  // Counts where the context verifies.
  if (::SSL_set1_host(ssl_.get(), side.host.c_str()) != 1) {
    std::rethrow_exception(tls_error("SSL_set1_host()"));
  }
}

void TlsTransport::set_protocol(std::shared_ptr<aio::Protocol> protocol) {
  protocol_ = std::move(protocol);
  buffered_ = dynamic_cast<aio::BufferedProtocol*>(protocol_.get());
}

template <class Call>
void TlsTransport::call_protocol(const char* function, Call call) {
  if (!protocol_ || stage_ == Stage::handshaking) return;
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

void TlsTransport::handshake() {
  ::ERR_clear_error();  // of others in this thread
  const int result = ::SSL_do_handshake(ssl_.get());
  const int error = ::SSL_get_error(ssl_.get(), result);
  flush();
  if (result != 1 && error == SSL_ERROR_WANT_READ) return;
  if (result != 1) return fail(tls_error("the TLS handshake has failed"));
  stage_ = Stage::open;
  if (const auto told = std::exchange(on_handshake_, nullptr)) told(nullptr);
  call_protocol("connection_made", [this] { protocol_->connection_made(*this); });
  write(std::exchange(early_, {}));
  pump();
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
    case SSL_ERROR_WANT_WRITE:
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
  close();
}

void TlsTransport::pause_reading() {
  reading_ = false;
  below_->pause_reading();
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
  if (stage_ == Stage::handshaking) {
    early_ += data;
    return;
  }
  std::size_t written = 0;  // all of it: there is always room in memory
  ::ERR_clear_error();
  if (::SSL_write_ex(ssl_.get(), data.data(), data.size(), &written) != 1) {
    return fail(tls_error("sending by TLS"));
  }
  flush();
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
  const bool begun = stage_ != Stage::handshaking;
  stage_ = Stage::lost;
  if (error_) error = std::move(error_);
  if (const auto told = std::exchange(on_handshake_, nullptr)) {
    told(error ? error
               : std::make_exception_ptr(std::system_error(ECONNABORTED, std::generic_category(),
                                                           "closed during the TLS handshake")));
  }
  const auto protocol = std::exchange(protocol_, nullptr);
  buffered_ = nullptr;
  if (begun && protocol) protocol->connection_lost(std::move(error));
}

// There is nobody left to tell of anything: the connection is lost, or the loop is being closed.
void TlsTransport::forget() noexcept {
  stage_ = Stage::lost;
  on_handshake_ = nullptr;
  buffered_ = nullptr;
  const auto protocol = std::exchange(protocol_, nullptr);
}

}  // namespace

std::shared_ptr<aio::Transport> start_tls(LoopCore& core, const std::shared_ptr<FdTransport>& below,
                                          std::shared_ptr<void> context, TlsSide side,
                                          std::shared_ptr<aio::Protocol> protocol,
                                          std::function<void(std::exception_ptr)> on_handshake,
                                          std::function<void()> on_lost) {
  if (!protocol) throw std::invalid_argument("the protocol factory has made no protocol");
  const auto tls = std::make_shared<TlsTransport>(core, below, std::move(context), side,
                                                  std::move(protocol), std::move(on_handshake));
  below->start(std::make_shared<Below>(tls), std::move(on_lost));
  return tls;
}

}  // namespace plait::detail
