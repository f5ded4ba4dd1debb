// Jobs that crash, hang and eat memory, all in one pool of processes. Each takes nothing with it
// but its own process: the pool survives them all, and here is what happened to each.
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <new>
#include <optional>
#include <plait/futures.hpp>
#include <ranges>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;

//! [jobs]
int segfault() {
  int* volatile nowhere = nullptr;  // volatile, so that the compiler does not see it coming
  return *nowhere;
}
int give_up() { std::abort(); }
int leave() { std::exit(3); }
int loop_for_ever() {
  for (volatile bool enough = false; !enough;) {
  }
  return 0;
}
int eat_memory() {
  std::vector<std::string> hoard;
  for (;;) hoard.emplace_back(1'000'000, 'x');
}
int look_beyond_the_end() { return std::vector<int>(3).at(5); }
//! [jobs]

// Crashes the first time; what was done in the file system outlives a process.
int crash_once(std::filesystem::path marker) {
  if (std::filesystem::create_directory(marker)) std::abort();
  return 42;
}
int square(int n) { return n * n; }

//! [what_happened]
std::string what_happened(const plait::Future<int>& job) {
  try {
    return "returned " + std::to_string(job.result());
  } catch (const plait::WorkerDied& death) {  // also knows the pid
    if (death.signal() == 0) return "exited with status " + std::to_string(death.exit_status());
    return std::string("was killed by SIG") + sigabbrev_np(death.signal());
  } catch (const plait::TimeoutError&) {
    return "took too long, so its process was killed";
  } catch (const std::bad_alloc&) {
    return "got std::bad_alloc, and its process lives";
  } catch (const std::out_of_range&) {  // thrown in the worker, caught here as itself
    return "threw std::out_of_range, and its process lives";
  }
}
//! [what_happened]

struct BadJob {
  const char* name;
  int (*run)();
  std::optional<plait::Duration> limit{};
};
constexpr std::array bad_jobs{
    BadJob{"segfault", segfault},     BadJob{"give_up", give_up},
    BadJob{"leave", leave},           BadJob{"loop_for_ever", loop_for_ever, 300ms},
    BadJob{"eat_memory", eat_memory}, BadJob{"look_beyond_the_end", look_beyond_the_end},
};

void say(const char* name, const std::string& what) {
  std::cout << std::left << std::setw(20) << name << what << '\n';
}

int main() {
  //! [pool]
  plait::ProcessPoolExecutor pool({
      .max_workers = 2,
      .initializer = [] { ::prctl(PR_SET_DUMPABLE, 0); },  // in each worker: no core files
      .memory_limit = 100'000'000,
  });

  std::vector<plait::Future<int>> jobs;
  for (const BadJob& bad : bad_jobs) jobs.push_back(pool.submit({.timeout = bad.limit}, bad.run));
  auto squares = pool.map(square, std::views::iota(0, 1'000));  // behind them, good ones
  //! [pool]

  for (std::size_t i = 0; i < jobs.size(); ++i) say(bad_jobs[i].name, what_happened(jobs[i]));

  // Whoever knows that a job may be repeated says so.
  const std::filesystem::path marker =
      std::filesystem::temp_directory_path() / ("crash_once." + std::to_string(::getpid()));
  say("crash_once", what_happened(pool.submit({.retries = 1}, crash_once, marker)));
  std::filesystem::remove(marker);

  int sum = 0;
  for (const int n : squares) sum += n;
  std::cout << "1000 good jobs in the same pool: their sum is " << sum << '\n';
}
