// A program that is linked without plait's hook: run as `process_without_hook with` it calls
// process_bootstrap() itself, and as `process_without_hook without` it does not.
#include <sys/wait.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <string>

#include <plait/executors/process_pool_executor.hpp>

#include "../tsan_suppressions.hpp"

namespace {

using plait::ProcessPoolExecutor;

// Whether it was refused, and how that was told.
std::string refusal(ProcessPoolExecutor& pool) {
  try {
    pool.submit([] {}).result();
    return "";
  } catch (const plait::RuntimeError& error) {
    return error.what();
  }
}

// Submits too early. If that started a worker, it would do the same, and so on for ever.
struct EarlyPool {
  ProcessPoolExecutor pool{1};
  const std::string text = refusal(pool);
  bool refused() const { return text.find("process_bootstrap") != std::string::npos; }
};
EarlyPool early;

int use_pools() {
  const bool refused_there = early.pool.submit([] { return early.refused(); }).result();
  std::printf("static objects: %s, %s in worker\n", early.refused() ? "refused" : "not refused",
              refused_there ? "refused" : "not refused");
  std::printf("%d\n", ProcessPoolExecutor(2).submit([](int a) { return 2 * a; }, 21).result());
  return 0;
}

int fail_to_use_pool() {
  ProcessPoolExecutor pool(2);
  std::puts(refusal(pool).c_str());
  const std::filesystem::directory_iterator threads("/proc/self/task");
  const bool child = ::waitpid(-1, nullptr, WNOHANG) >= 0 || errno != ECHILD;
  std::printf("%td thread, %s\n", std::distance(begin(threads), end(threads)),
              child ? "a child" : "no child");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && argv[1] == std::string("without")) return fail_to_use_pool();
  plait::process_bootstrap(argc, argv);
  return use_pools();
}
