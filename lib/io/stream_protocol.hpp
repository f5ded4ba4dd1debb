// What connects a transport to a reader and a writer.
#pragma once

#include <exception>
#include <memory>
#include <span>
#include <string>

#include <plait/core/coroutine.hpp>
#include <plait/io/stream_reader.hpp>
#include <plait/io/transport.hpp>
#include <plait/loop/detail/signal_line.hpp>

namespace plait::detail {

/// Hands what comes in to the reader, if somebody still has it, and tells the writer when to wait.
class StreamProtocol : public aio::BufferedProtocol {
 public:
  /// `reader` null: nobody reads.
  explicit StreamProtocol(const std::shared_ptr<aio::StreamReader>& reader) : reader_(reader) {}

  void connection_made(aio::Transport& transport) override;
  std::span<char> get_buffer() override;
  void buffer_updated(std::size_t size) override;
  bool eof_received() override;
  void connection_lost(std::exception_ptr error) override;
  void pause_writing() override { may_write_.close(); }
  void resume_writing() override { may_write_.open(); }

  // -- for the writer
  /// @throws what the connection was lost by
  Coroutine<> wait_until_may_write();
  Coroutine<> wait_closed();
  std::exception_ptr read_error() const;
  /// The reader is fed by another transport from now on, to which belongs what lies here unread.
  std::string replace_transport(const std::shared_ptr<aio::Transport>& transport);
  /// It has accepted its connection.
  virtual bool is_server() const noexcept { return false; }

 private:
  std::weak_ptr<aio::StreamReader> reader_;
  std::exception_ptr error_;  // what the connection was lost by; null: nothing
  SignalLine may_write_{"StreamWriter", true};
  SignalLine closed_{"StreamWriter", false};
};

}  // namespace plait::detail
