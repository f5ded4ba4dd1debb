// A descriptor that a loop waits for, and that is closed with it at the latest.
#pragma once

#include <functional>
#include <utility>

#include <boost/asio/error.hpp>
#include <plait/loop/detail/loop_core.hpp>
#include <plait/loop/event_loop.hpp>

#include "io/owned_fd.hpp"
#include "loop/loop_resource.hpp"
#include "loop/selector.hpp"
#include "loop/watched_descriptor.hpp"

namespace plait::detail {

/// Owns a descriptor. Loop thread only.
///
/// A handler keeps this alive. It is called once, in a turn of the loop, with Asio's error_code;
/// not at all if stop_waiting(), close() or the loop's end came first. After stop_waiting() one may
/// be on its way already.
class FdWatch final : public LoopResource {
 public:
  /// Makes the descriptor non-blocking. `on_loop_closing` is called after it was closed with the
  /// loop. @throws std::system_error
  FdWatch(LoopCore& core, OwnedFd fd, std::function<void()> on_loop_closing = nullptr);
  ~FdWatch() { close(); }

  /// -1: it was closed.
  int fd() const noexcept { return fd_; }
  template <class Handler>
  void when_readable(Handler handler) {
    descriptor_->async_wait(descriptor_->wait_read, in_a_turn(std::move(handler)));
  }
  template <class Handler>
  void when_writable(Handler handler) {
    descriptor_->async_wait(descriptor_->wait_write, in_a_turn(std::move(handler)));
  }
  /// Ends all waits.
  void stop_waiting() noexcept;
  void close() noexcept;
  bool closed() const noexcept { return !descriptor_; }

 private:
  // An io_context that somebody else runs calls what is ready between the loop's turns.
  template <class Handler>
  auto in_a_turn(Handler handler) {
    return [this, handler = std::move(handler),
            keep = descriptor_](const boost::system::error_code& error) mutable {
      if (closed() || error == boost::asio::error::operation_aborted) return;
      if (running_core() == &core_) return handler(error);
      core_.loop().call_soon([this, handler = std::move(handler), error]() mutable {
        if (!closed()) handler(error);
      });
    };
  }
  void loop_closing() noexcept override;

  LoopCore& core_;  // exists unless closed(), as the selector
  Selector* selector_ = nullptr;
  int fd_;
  WatchedDescriptor descriptor_;  // null: closed
  const std::function<void()> on_loop_closing_;
};

}  // namespace plait::detail
