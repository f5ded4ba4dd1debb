// The life of a TLS connection.
#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <plait/core/clock.hpp>
#include <plait/io/transport.hpp>
#include <plait/loop/handle.hpp>

#include "io/fd_transport.hpp"
#include "io/tls_transport.hpp"

namespace plait::detail {

struct FreeSsl {
  void operator()(SSL* ssl) const noexcept { ::SSL_free(ssl); }
};

//   handshaking ──▶ open ── close(), the other side's close_notify ──▶ closing ──▶ lost
//        └──────────── the handshake has failed, abort(), the connection is lost ───▲

/// TLS over another transport. Loop thread only.
class TlsTransport final : public aio::Transport {
 public:
  TlsTransport(LoopCore& core, std::shared_ptr<FdTransport> below, std::shared_ptr<void> context,
               const TlsSide& side, std::shared_ptr<aio::Protocol> protocol,
               OnHandshake on_handshake, bool is_upgrade);

  // -- for what is below
  /// Before begin(), of a connection that carried plain bytes: `told`: the protocol knows already
  /// that it is to write no more for now.
  void take_over_pause(bool told);
  /// Begins the handshake. `received`: what has come for it already.
  void begin(std::string_view received);
  void received(std::string_view data);
  void ended();
  void lost(std::exception_ptr error);
  void forget() noexcept;
  /// It wants no more for now, or more again.
  void pause_below(bool pause);

  // -- see Transport
  void write(std::string_view data) override;
  void write_eof() override {
    throw RuntimeError("write_eof(): TLS has no half-closed connection");
  }
  bool can_write_eof() const noexcept override { return false; }
  bool can_write() const noexcept override { return true; }
  std::size_t get_write_buffer_size() const noexcept override {
    return waiting_.size() + below_->get_write_buffer_size();
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

  /// The protocol hears of it: see Transport.
  bool is_known() const noexcept { return is_upgrade_ || stage_ != Stage::handshaking; }
  template <class Call>
  void call_protocol(const char* function, Call call);
  void handshake();
  void end_handshake(const std::exception_ptr& error);
  void pump();
  bool pump_some();
  std::size_t encrypt(std::string_view data);
  void send_waiting();
  void update_pause();
  void flush();
  void shut_down();
  void fail(std::exception_ptr error);

  LoopCore& core_;  // below_ keeps it
  const std::shared_ptr<FdTransport> below_;
  const std::shared_ptr<void> context_;
  const std::unique_ptr<SSL, FreeSsl> ssl_;
  const bool is_upgrade_;                    // protocol_ knew the connection before
  std::shared_ptr<aio::Protocol> protocol_;  // null: lost
  aio::BufferedProtocol* buffered_ = nullptr;
  const Duration handshake_limit_;
  OnHandshake on_handshake_;                    // null: it is over
  std::optional<aio::TimerHandle> time_limit_;  // of the handshake
  Stage stage_ = Stage::handshaking;
  bool reading_ = true;
  std::string waiting_;  // written, but a handshake has to end first
  bool below_paused_ = false;
  bool writing_paused_ = false;  // the protocol was told so
  std::exception_ptr error_;     // what it is lost by, if not by what is below
};

}  // namespace plait::detail
