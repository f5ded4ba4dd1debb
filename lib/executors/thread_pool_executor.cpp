// ThreadPoolExecutor: checks what it is given and hands it to its engine.
#include <plait/executors/thread_pool_executor.hpp>

#include <atomic>
#include <stdexcept>

#include "executors/thread_pool.hpp"
#include "executors/usable_cpus.hpp"

namespace plait {
namespace {

constexpr std::size_t absurd_size = 65536;

std::size_t checked_size(std::size_t max_workers, const char* where) {
  if (max_workers < absurd_size) return max_workers;
  throw std::invalid_argument(std::string(where) + ": max_workers is " +
                              std::to_string(max_workers) + ", it must be below " +
                              std::to_string(absurd_size) + " (was it a negative number?)");
}

std::string default_prefix() {
  // How many pools were made without a prefix; any thread adds one, only their difference matters.
  static std::atomic<unsigned> pools{0};
  return "Pool-" + std::to_string(pools++);
}

}  // namespace

std::shared_ptr<detail::ThreadPool> detail::make_thread_pool(ThreadPoolOptions options) {
  checked_size(options.max_workers, "ThreadPoolExecutor");
  if (options.max_workers == 0) {
    options.max_workers = std::min<std::size_t>(32, detail::usable_cpus() + 4);
  }
  if (options.thread_name_prefix.empty()) options.thread_name_prefix = default_prefix();
  return detail::ThreadPool::make(std::move(options));
}

ThreadPoolExecutor::ThreadPoolExecutor(std::size_t max_workers)
    : ThreadPoolExecutor(ThreadPoolOptions{.max_workers = max_workers}) {}

ThreadPoolExecutor::ThreadPoolExecutor(ThreadPoolOptions options)
    : Executor(detail::make_thread_pool(std::move(options))) {}

ThreadPoolExecutor::~ThreadPoolExecutor() { shutdown(); }

void ThreadPoolExecutor::shutdown(ShutdownOptions options) { core().shutdown(options); }

detail::ThreadPool& ThreadPoolExecutor::pool() const {
  return static_cast<detail::ThreadPool&>(core());  // the constructor has made it
}

std::size_t ThreadPoolExecutor::max_workers() const { return pool().worker_limit(); }

std::size_t ThreadPoolExecutor::num_threads() const { return pool().num_threads(); }

std::size_t ThreadPoolExecutor::queue_size() const { return pool().queue_size(); }

void ThreadPoolExecutor::resize(std::size_t max_workers) {
  if (max_workers == 0) {
    throw std::invalid_argument("resize(): max_workers must be at least 1; shutdown() ends a pool");
  }
  pool().resize(checked_size(max_workers, "resize()"));
}

}  // namespace plait
