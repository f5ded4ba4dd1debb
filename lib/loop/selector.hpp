// Waiting for descriptors and signals: Boost.Asio's io_context, as far as a loop needs it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <unordered_set>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include <plait/core/detail/future_state.hpp>

#include "loop/loop_resource.hpp"

namespace plait::detail {

class LoopCore;

/// A loop's selector; made when the first descriptor or signal is to be watched. Loop thread only,
/// but for interrupt().
class Selector {
 public:
  using Callback = std::function<void()>;
  enum class Direction { read, write };

  /// With an io_context of its own.
  explicit Selector(LoopCore& core);
  /// With somebody else's, who runs it; wait() and poll() are not for this one.
  Selector(LoopCore& core, boost::asio::io_context& context);
  Selector(const Selector&) = delete;
  Selector& operator=(const Selector&) = delete;
  ~Selector();

  /// Runs in: any thread. Ends the present wait(), or the next one.
  void interrupt() noexcept;
  /// Runs in: a signal handler. As interrupt().
  void interrupt_from_signal() noexcept;

  boost::asio::io_context& context() { return context_; }
  bool owns_context() const noexcept { return own_context_ != nullptr; }
  /// Runs what has become ready. False: nothing.
  bool poll();
  /// Waits until the deadline, an interruption, or something has become ready, which it runs; there
  /// may be more.
  void wait(Deadline deadline);
  /// True: a descriptor or a signal, or the user's own Asio objects have something to do. Runs in:
  /// owners_mutex() held, so that nobody interrupts.
  bool watches_anything();

  void watch(int fd, Direction direction, Callback callback);
  bool unwatch(int fd, Direction direction);
  /// It is told before the selector is gone, unless it has left its list; its descriptor is not for
  /// watch() until forget_resource().
  void add_resource(LoopResource& resource, int fd);
  void forget_resource(int fd) noexcept { owned_.erase(fd); }
  /// The kernel uses memory of one operation more, or less: the context does not go before that.
  /// For a context of its own.
  void expect_kernel(int more) noexcept { in_kernel_ += more; }

  void watch_signal(int number, Callback callback);
  bool unwatch_signal(int number);

 private:
  template <class Run>
  void run_handlers(Run run);
  struct Watched;
  struct Side;
  class Event;

  void check_not_owned(int fd) const;
  void arm(const std::shared_ptr<Watched>& watched, Direction direction);
  void arm_signal(int number);
  void watch_interrupts();
  void arm_deadline(Clock::time_point deadline);
  bool has_work_of_others();

  LoopCore& core_;
  const std::unique_ptr<boost::asio::io_context> own_context_;  // null: somebody else's
  boost::asio::io_context& context_;
  std::optional<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>> work_;
  boost::asio::steady_timer deadline_;
  Deadline armed_;                                    // for when deadline_ is set
  boost::asio::posix::stream_descriptor interrupts_;  // an eventfd, which signal handlers may write
  std::map<int, std::shared_ptr<Watched>> watched_;
  WaiterList<LoopResource> resources_;
  std::unordered_set<int> owned_;  // their descriptors
  struct Signal;
  std::map<int, std::unique_ptr<Signal>> signals_;
  int in_kernel_ = 0;
};

}  // namespace plait::detail
