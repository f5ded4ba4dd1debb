// Reads /proc, the scheduler and the cgroup files for the tests.
#include "process_probe.hpp"

#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

namespace plait::test {
namespace {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr bool under_sanitizer = true;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
constexpr bool under_sanitizer = true;
#else
constexpr bool under_sanitizer = false;
#endif
#else
constexpr bool under_sanitizer = false;
#endif

std::size_t entries_of(const char* folder) {
  const std::filesystem::directory_iterator entries(folder);
  return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

std::chrono::nanoseconds read_clock(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

// CPUs granted by the control group of this process or one above it; infinity without a quota.
double cgroup_quota() {
  double least = HUGE_VAL;
  std::string line;
  for (std::ifstream groups("/proc/self/cgroup"); std::getline(groups, line);) {
    if (!line.starts_with("0::")) continue;
    std::filesystem::path group = line.substr(3);
    for (bool top = false; !top; group = group.parent_path()) {
      top = group == group.root_path();
      std::ifstream limit("/sys/fs/cgroup" + group.string() + "/cpu.max");
      double quota = 0, period = 0;
      if (limit >> quota >> period && period > 0) least = std::min(least, quota / period);
    }
  }
  double quota = 0, period = 0;
  std::ifstream old_quota("/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
  std::ifstream old_period("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  if (old_quota >> quota && old_period >> period && quota > 0 && period > 0) {
    least = std::min(least, quota / period);
  }
  return least;
}

}  // namespace

std::chrono::nanoseconds case_deadline() {
  static const auto deadline = [] {
    const char* text = std::getenv("PLAIT_TEST_DEADLINE");
    const double seconds = text != nullptr ? std::atof(text) : under_sanitizer ? 120 : 30;
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
        std::chrono::duration<double>(seconds));
  }();
  return deadline;
}

std::size_t thread_count() { return entries_of("/proc/self/task"); }

std::size_t descriptor_count() { return entries_of("/proc/self/fd"); }

bool has_children() {
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

pid_t this_thread_id() { return static_cast<pid_t>(::syscall(SYS_gettid)); }

std::string this_thread_name() {
  char name[16] = {};
  ::pthread_getname_np(::pthread_self(), name, sizeof name);
  return name;
}

std::vector<std::string> thread_names() {
  std::vector<std::string> names;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream file(task.path() / "comm");
    if (std::string name; std::getline(file, name)) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool is_asleep(pid_t thread) {
  std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/stat");
  std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto name_end = text.rfind(')');
  return name_end != std::string::npos && text.compare(name_end, 3, ") S") == 0;
}

std::chrono::nanoseconds thread_cpu_time() { return read_clock(CLOCK_THREAD_CPUTIME_ID); }

std::chrono::nanoseconds thread_cpu_time(pthread_t thread) {
  clockid_t clock{};
  ::pthread_getcpuclockid(thread, &clock);
  return read_clock(clock);
}

std::size_t usable_cpus() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  ::sched_getaffinity(0, sizeof mask, &mask);
  const auto allowed = static_cast<double>(CPU_COUNT(&mask));
  return static_cast<std::size_t>(std::max(1.0, std::ceil(std::min(allowed, cgroup_quota()))));
}

ProbedThread::ProbedThread(std::function<void()> body)
    : thread_([this, body = std::move(body)] {
        id_ = this_thread_id();
        body();
      }) {}

void ProbedThread::wait_until_asleep() const {
  eventually([this] { return id_ != 0 && is_asleep(id_); });
}

void ProbedThread::join() {
  if (thread_.joinable()) thread_.join();
}

}  // namespace plait::test
