// A descriptor that a loop waits for, and that is closed with it at the latest.
#pragma once

#include <functional>
#include <optional>
#include <utility>

#include <boost/asio/posix/stream_descriptor.hpp>

#include "loop/loop_resource.hpp"
#include "loop/selector.hpp"

namespace plait::detail {

/// Owns a descriptor. Loop thread only.
///
/// A handler is called once, in the loop's thread, with Asio's error_code: operation_aborted if
/// close() came first. Nothing is called after the loop was closed.
class FdWatch final : public LoopResource {
 public:
  /// Makes the descriptor non-blocking, and takes it whatever happens. `on_loop_closing` is called
  /// after it was closed with the loop. @throws std::system_error
  FdWatch(LoopCore& core, int fd, std::function<void()> on_loop_closing = nullptr);
  ~FdWatch() { close(); }

  /// -1: it was closed.
  int fd() const noexcept { return fd_; }
  template <class Handler>
  void when_readable(Handler handler) {
    descriptor_->async_wait(Descriptor::wait_read, std::move(handler));
  }
  template <class Handler>
  void when_writable(Handler handler) {
    descriptor_->async_wait(Descriptor::wait_write, std::move(handler));
  }
  /// Ends all waits.
  void stop_waiting() noexcept;
  void close() noexcept;
  bool closed() const noexcept { return !descriptor_; }

 private:
  using Descriptor = boost::asio::posix::stream_descriptor;

  void loop_closing() noexcept override;

  Selector* selector_;
  int fd_;
  std::optional<Descriptor> descriptor_;  // empty: closed
  const std::function<void()> on_loop_closing_;
};

}  // namespace plait::detail
