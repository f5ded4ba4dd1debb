// Bytes over a descriptor: sockets and pipes.
#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <plait/core/detail/context_state.hpp>
#include <plait/io/transport.hpp>
#include <plait/loop/detail/loop_core.hpp>

#include "io/fd_watch.hpp"

namespace plait::detail {

//          close(), the end of      all was sent,
//          the stream               abort(), an error
//   open ─────────────────▶ closing ─────────────────▶ lost ──▶ (connection_lost(), then closed)
//     └──────────────── abort(), an error ─────────────▲
//
// Whatever the way, connection_lost() is called once, by a handle of its own: never from within a
// call of the user's.

/// A Transport that asks the selector when its descriptor is ready. It keeps itself alive until its
/// connection is lost or the loop is closed.
class FdTransport final : public aio::Transport, private Runnable {
 public:
  enum class Kind { socket, read_pipe, write_pipe };

  /// @throws std::system_error
  FdTransport(LoopCore& core, OwnedFd fd, Kind kind);
  ~FdTransport() override;

  /// Begins: connection_made(), then receiving. `on_lost` is called at the very end.
  void start(std::shared_ptr<aio::Protocol> protocol, std::function<void()> on_lost = nullptr);

  bool is_socket() const noexcept { return kind_ == Kind::socket; }
  /// The other side sends nothing more.
  bool has_ended() const noexcept { return ended_; }
  /// This side sends nothing more: write_eof() was called.
  bool eof_wanted() const noexcept { return eof_wanted_; }
  /// The protocol was told to write no more for now.
  bool writing_paused() const noexcept { return writing_paused_; }

  void write(std::string_view data) override;
  void write_eof() override;
  bool can_write_eof() const noexcept override { return kind_ != Kind::read_pipe; }
  bool can_write() const noexcept override { return kind_ != Kind::read_pipe; }
  std::size_t get_write_buffer_size() const noexcept override { return unsent_.size() - sent_; }
  void set_write_buffer_limits(std::size_t high, std::size_t low) override;
  void pause_reading() override { reading_ = false; }
  void resume_reading() override;
  bool is_reading() const noexcept override;
  void close() override;
  void abort() override { lose(nullptr); }
  bool is_closing() const noexcept override { return stage_ != Stage::open; }
  void set_protocol(std::shared_ptr<aio::Protocol> protocol) override;
  std::shared_ptr<aio::Protocol> get_protocol() const override { return protocol_; }
  std::string peername() const override { return peername_; }
  std::string sockname() const override { return sockname_; }
  int fileno() const noexcept override { return watch_.fd(); }

 private:
  enum class Stage { open, closing, lost };

  std::shared_ptr<FdTransport> self() {
    return std::static_pointer_cast<FdTransport>(shared_from_this());
  }
  void forget_protocol() noexcept;
  bool receives() const noexcept { return stage_ == Stage::open && reading_ && !ended_; }
  void watch_reads();
  void on_readable();
  bool receive();
  void deliver(std::span<char> room, std::size_t size);
  void end_reached();
  std::ptrdiff_t receive_some(std::span<char> room) const;
  void watch_writes();
  void on_writable();
  std::ptrdiff_t send_some(std::string_view data) const;
  std::size_t send_now(std::string_view data);
  void all_sent();
  void maybe_pause_writing();
  void maybe_resume_writing();
  template <class Call>
  void call_protocol(const char* function, Call call);
  void lose(std::exception_ptr error) noexcept;
  void connection_lost();
  // As what tells of the connection's loss: no memory is needed for that.
  void run() noexcept override;
  void abandon() noexcept override;
  std::string describe() const override { return "connection_lost()"; }

  const std::shared_ptr<LoopCore> core_;
  FdWatch watch_;
  const Kind kind_;
  const std::string peername_;  // asked at the beginning: a lost connection has no names
  const std::string sockname_;
  Stage stage_ = Stage::open;
  bool reading_ = false;         // the user wants it
  bool ended_ = false;           // the other side sends nothing more
  bool watching_reads_ = false;  // a handler is out
  bool watching_writes_ = false;
  bool eof_wanted_ = false;
  bool writing_paused_ = false;
  std::size_t high_ = 64UL * 1024;
  std::size_t low_ = 16UL * 1024;
  std::string unsent_;  // from sent_ on
  std::size_t sent_ = 0;
  std::shared_ptr<aio::Protocol> protocol_;  // null: not started, or lost
  aio::BufferedProtocol* buffered_ = nullptr;
  std::shared_ptr<FdTransport> alive_;  // itself; null: not started, or lost
  std::function<void()> on_lost_;
  std::exception_ptr error_;              // what it is lost by
  ContextRef context_ = share_context();  // what callbacks see
};

}  // namespace plait::detail
