// A loop as an Asio executor, for handlers that no I/O object gives a place to run.
#pragma once

#include <exception>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include <plait/core/detail/frame_memory.hpp>
#include <plait/core/detail/runnable.hpp>
#include <plait/loop/detail/loop_core.hpp>

#include <boost/asio/execution/blocking.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/require.hpp>
#include <boost/asio/system_executor.hpp>

namespace plait::detail {

/// A function of Asio in a loop's queue.
template <class F>
class ExecutorJob final : public Runnable, public Recycled<ExecutorJob<F>> {
 public:
  explicit ExecutorJob(F&& function) : function_(std::move(function)) {}
  explicit ExecutorJob(const F& function) : function_(function) {}

  void run() noexcept override {
    const std::unique_ptr<ExecutorJob> self(this);
    try {
      std::move(function_)();
    } catch (...) {
      running_core()->report("Exception in an Asio handler", std::current_exception());
    }
  }
  void abandon() noexcept override { delete this; }
  std::string describe() const override { return "Asio handler"; }

 private:
  F function_;
};

/// Runs functions in a loop, by call_soon_threadsafe() as it were; once the loop is closed they are
/// dropped. Without a loop (a coroutine on a pool) it is the system's executor.
class LoopExecutor {
 public:
  LoopExecutor() = default;
  explicit LoopExecutor(std::shared_ptr<LoopCore> core) noexcept : core_(std::move(core)) {}

  /// Runs in: the loop's thread.
  boost::asio::execution_context& query(boost::asio::execution::context_t) const;
  boost::asio::execution::blocking_t query(boost::asio::execution::blocking_t) const noexcept {
    return may_block_
               ? boost::asio::execution::blocking_t(boost::asio::execution::blocking.possibly)
               : boost::asio::execution::blocking_t(boost::asio::execution::blocking.never);
  }
  LoopExecutor require(boost::asio::execution::blocking_t::possibly_t) const noexcept {
    return with(true);
  }
  LoopExecutor require(boost::asio::execution::blocking_t::never_t) const noexcept {
    return with(false);
  }

  template <class F>
  void execute(F&& function) const {
    if (!core_) {
      boost::asio::require(boost::asio::system_executor(), boost::asio::execution::blocking.never)
          .execute(std::forward<F>(function));
    } else if (may_block_ && running_loop == core_.get()) {
      std::decay_t<F> here(std::forward<F>(function));
      std::move(here)();
    } else {
      core_->post(*new ExecutorJob<std::decay_t<F>>(std::forward<F>(function)));
    }
  }

  friend bool operator==(const LoopExecutor& a, const LoopExecutor& b) noexcept {
    return a.core_ == b.core_ && a.may_block_ == b.may_block_;
  }

 private:
  LoopExecutor with(bool may_block) const noexcept {
    LoopExecutor other = *this;
    other.may_block_ = may_block;
    return other;
  }

  std::shared_ptr<LoopCore> core_;
  bool may_block_ = true;
};

/// Runs in: the fiber's thread. The executor of the loop that runs here, if it is `scheduler`.
LoopExecutor executor_of_loop(const Scheduler& scheduler) noexcept;

}  // namespace plait::detail
