// InlineExecutor: runs every job inside of submit().
#include <plait/executors/inline_executor.hpp>

#include <atomic>
#include <limits>
#include <stdexcept>

#include <plait/core/errors.hpp>

namespace plait {
namespace {

class InlineCore final : public detail::ExecutorCore {
 public:
  void enqueue(detail::JobRef job, const SubmitOptions& options) override {
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
  bool help(detail::FutureState& job) override { return job.done(); }
  void check_wait(const detail::FutureState&) const override {}
  void job_cancelled(detail::FutureState&) noexcept override {}
  void interrupt(detail::FutureState&) noexcept override {}
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
  void coroutine_started() noexcept override {}
  void coroutine_ended() noexcept override {}

 private:
  // Set once by shutdown(), read by submit(), in any thread.
  std::atomic<bool> closed_{false};
};

}  // namespace

InlineExecutor::InlineExecutor() : Executor(std::make_shared<InlineCore>()) {}

InlineExecutor::~InlineExecutor() { shutdown(); }

void InlineExecutor::shutdown(ShutdownOptions options) { core().shutdown(options); }

}  // namespace plait
