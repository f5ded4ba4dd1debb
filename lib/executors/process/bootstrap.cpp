// What is done before main(): whether this process is a worker.
#include "executors/process/bootstrap.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>

#include <plait/executors/process_pool_executor.hpp>

#include "executors/process/frames.hpp"

namespace plait {
namespace detail {
namespace {

// Set by process_bootstrap(), in the main thread before there are pools or, at the latest, other
// threads that use them.
std::atomic<bool> hooked{false};
std::atomic<int> depth{0};

bool is_socket(int fd) {
  struct stat found{};
  return ::fstat(fd, &found) == 0 && S_ISSOCK(found.st_mode);
}

}  // namespace

bool bootstrapped() noexcept { return hooked; }
int worker_depth() noexcept { return depth; }

}  // namespace detail

bool is_worker_process() noexcept { return detail::worker_depth() > 0; }

// The variable is removed at once: a program that a task starts is no worker.
void process_bootstrap(int, char**) {
  if (detail::hooked.exchange(true)) return;
  const char* const mark = std::getenv(detail::worker_variable);
  if (!mark) return;
  const int depth = std::atoi(mark);
  ::unsetenv(detail::worker_variable);
  if (depth <= 0 || !detail::is_socket(detail::worker_socket)) return;
  detail::depth = depth;
  detail::run_worker();
}

}  // namespace plait
