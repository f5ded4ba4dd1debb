// InlineExecutor: runs every job inside of submit().
#include <plait/executors/inline_executor.hpp>

#include <atomic>
#include <cstddef>
#include <limits>
#include <memory>
#include <stdexcept>
#include <utility>

#include <plait/core/errors.hpp>

#include "core/mutex.hpp"
#include "core/wait_graph.hpp"

namespace plait {
namespace {

class InlineCore final : public detail::ExecutorCore,
                         public std::enable_shared_from_this<InlineCore> {
 public:
  // Who stops a coroutine may still be on the way from there to here: see JobOwner.
  ~InlineCore() override { detail::MutexLock lock(detail::owners_mutex()); }

  void enqueue(detail::JobRef job, const SubmitOptions& options,
               const detail::RemoteJob&) override {
    if (options.timeout || options.retries != 0) {
      throw std::invalid_argument("SubmitOptions::timeout and retries need a process pool");
    }
    if (closed_) throw RuntimeError("cannot schedule new futures after shutdown");
    job->start();
    const auto phase = job->invoke();
    if (phase != detail::Phase::running) job->end(phase);  // else a coroutine that waits
  }
  void shutdown(ShutdownOptions) override { closed_ = true; }
  std::size_t parallelism() const noexcept override { return 1; }

  // Every job is done before anybody but itself can have its future, unless it is a coroutine.
  bool help(detail::FutureState&) override { return false; }
  void check_wait(const detail::FutureState&) const override {}
  void job_cancelled(detail::FutureState&) noexcept override {}
  bool interrupt(detail::FutureState&) noexcept override { return true; }
  void interruption_over() noexcept override {}
  std::size_t worker_limit() const noexcept override {
    return std::numeric_limits<std::size_t>::max();
  }

  // A coroutine goes on in the thread that ends what it waits for.
  bool resume(detail::FutureState&) noexcept override { return false; }
  detail::ForkQueue* fork_queue() noexcept override { return nullptr; }
  void call_helpers() noexcept override {}
  void enter(detail::FutureState&) noexcept override {}
  void leave(detail::FutureState&) noexcept override {}
  // The executor may be gone before a coroutine ends that waits.
  void coroutine_started() noexcept override {
    detail::MutexLock lock(mutex_);
    if (coroutines_++ == 0) self_ = shared_from_this();
  }
  void coroutine_ended() noexcept override {
    std::shared_ptr<InlineCore> last;
    detail::MutexLock lock(mutex_);
    if (--coroutines_ == 0) last = std::move(self_);
  }

 private:
  // Set once by shutdown(), read by submit(), in any thread.
  std::atomic<bool> closed_{false};
  detail::Mutex mutex_;
  // Those that have not ended, and while there are any, this.
  std::size_t coroutines_ PLAIT_TSA(guarded_by(mutex_)) = 0;
  std::shared_ptr<InlineCore> self_ PLAIT_TSA(guarded_by(mutex_));
};

}  // namespace

InlineExecutor::InlineExecutor() : Executor(std::make_shared<InlineCore>()) {}

InlineExecutor::~InlineExecutor() { shutdown(); }

void InlineExecutor::shutdown(ShutdownOptions options) { core().shutdown(options); }

}  // namespace plait
