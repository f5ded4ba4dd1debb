// Bytes that have come in, until they are read.
#pragma once

#include <cstddef>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <plait/core/coroutine.hpp>
#include <plait/io/transport.hpp>
#include <plait/loop/detail/signal_line.hpp>

namespace plait::detail {

/// What a StreamReader is a handle of. Its reads keep it, so that it may be dropped meanwhile.
class StreamBuffer {
 public:
  /// @throws std::invalid_argument
  explicit StreamBuffer(std::size_t limit);

  // -- for what feeds it
  void set_transport(std::shared_ptr<aio::Transport> transport);
  void transport_lost() noexcept { transport_.reset(); }
  /// Nobody has the reader any more: who waits gets RuntimeError, and nothing comes from now on.
  void reader_dropped() noexcept;
  void feed_data(std::string_view data);
  void feed_eof() noexcept;
  void set_exception(std::exception_ptr error) noexcept;
  const std::exception_ptr& exception() const noexcept { return error_; }
  /// Room behind what lies here.
  std::span<char> room();
  /// So much of the room was filled.
  void received(std::size_t count);

  // -- for reads
  std::size_t limit() const noexcept { return limit_; }
  std::size_t size() const noexcept { return end_ - begin_; }
  /// How much was taken or dropped since the beginning.
  std::size_t taken() const noexcept { return taken_; }
  std::string_view data() const noexcept { return {buffer_.data() + begin_, size()}; }
  bool eof() const noexcept { return eof_; }
  std::string take(std::size_t count);
  void drop(std::size_t count);
  void check_error() const;
  /// Waits until something has changed. @throws RuntimeError where somebody waits already
  static Coroutine<> wait_for_data(std::shared_ptr<StreamBuffer> self, const char* function);

 private:
  void pause_if_full();
  void resume_if_paused();

  const std::size_t limit_;
  std::string buffer_;  // [begin_, end_) was received and not read
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t taken_ = 0;
  std::size_t room_;  // how much is received at a time: grows where it is filled
  bool eof_ = false;
  bool waiting_ = false;
  bool paused_ = false;
  bool dropped_ = false;
  std::exception_ptr error_;
  std::shared_ptr<aio::Transport> transport_;  // null: it is fed by hand, or there is none any more
  SignalLine more_{"StreamReader", false};
};

}  // namespace plait::detail
