// The loop's default executor: its making, and its shutdown beside a running loop.
#include <plait/loop/detail/default_executor.hpp>

#include <stdexcept>
#include <thread>

#include <plait/core/detail/outside_owner.hpp>
#include <plait/core/errors.hpp>
#include <plait/core/log.hpp>
#include <plait/core/promise.hpp>
#include <plait/executors/executor.hpp>
#include <plait/loop/event_loop.hpp>
#include <plait/loop/wait.hpp>

#include "executors/thread_pool.hpp"

namespace plait::detail {

void ExecutorHold::shutdown(bool wait) const {
  const ShutdownOptions options{.wait = wait};
  if (handle) {
    handle->shutdown(options);
  } else if (core) {
    core->shutdown(options);
  }
}

ExecutorCore& DefaultExecutor::core() {
  if (closed_) throw RuntimeError("Executor shutdown has been called");
  if (!hold_) hold_.core = make_thread_pool({.thread_name_prefix = "plait-loop"});
  return *hold_.core;
}

void DefaultExecutor::set(std::shared_ptr<Executor> executor) {
  if (!executor) {
    throw std::invalid_argument(
        "set_default_executor() got no executor: shutdown_default_executor() ends the present one");
  }
  auto core = core_of(*executor);
  if (!hold_.handle) hold_.shutdown(false);
  hold_ = {std::move(core), std::move(executor)};
}

ExecutorHold DefaultExecutor::close() noexcept {
  closed_ = true;
  return hold_;
}

ExecutorHold DefaultExecutor::release() noexcept {
  closed_ = true;
  return std::exchange(hold_, {});
}

namespace {

// A thread that waits for an executor's end, so that the loop need not.
class ShutdownThread {
 public:
  explicit ShutdownThread(ExecutorHold executor) {
    auto promise = make_promise<void>(new PromiseState<void>(&outside_owner()));
    promise.set_running_or_notify_cancel();  // nobody can cancel it
    ended_ = promise.get_future();
    thread_ = std::thread(run, std::move(executor), std::move(promise));
  }
  ShutdownThread(const ShutdownThread&) = delete;
  ShutdownThread& operator=(const ShutdownThread&) = delete;
  // Nobody waits for it any more; it ends when the executor's last job has.
  ~ShutdownThread() {
    if (thread_.joinable()) thread_.detach();
  }

  const Future<>& ended() const noexcept { return ended_; }
  /// After ended(): gives what shutdown() threw.
  void join() {
    thread_.join();
    ended_.result();
  }

 private:
  static void run(ExecutorHold executor, Promise<> promise) noexcept {
    try {
      executor.shutdown(true);
      executor = {};
      promise.set_result();
    } catch (...) {
      promise.set_exception(std::current_exception());
    }
  }

  Future<> ended_;
  std::thread thread_;
};

void warn_of_late_jobs(Duration timeout) {
  const auto seconds = std::chrono::duration<double>(timeout).count();
  log(LogLevel::warning, "The executor did not finish joining its threads within " +
                             std::to_string(seconds) + " seconds.");
}

}  // namespace
}  // namespace plait::detail

namespace plait::aio {

Coroutine<> EventLoop::shutdown_default_executor(std::optional<Duration> timeout) {
  const auto executor = core_->default_executor().close();
  if (!executor) co_return;
  detail::ShutdownThread thread(executor);
  WaitOptions options;
  options.timeout = timeout;
  const std::vector<Future<>> ended{thread.ended()};
  const auto outcome = co_await aio::wait(ended, options);
  if (outcome.not_done.empty()) {
    thread.join();
  } else {
    detail::warn_of_late_jobs(*timeout);
  }
}

}  // namespace plait::aio
