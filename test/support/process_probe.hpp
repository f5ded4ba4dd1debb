// What the running process looks like from outside: threads, descriptors, children, time used.
#pragma once

#include <sched.h>
#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace plait::test {

using namespace std::chrono_literals;

// How long one case may run: 30 s, four times that under a sanitizer; PLAIT_TEST_DEADLINE (seconds)
// overrides both.
std::chrono::nanoseconds case_deadline();

// Repeats until the condition holds, giving way to other threads; false when a third of the case's
// deadline has passed.
template <class Condition>
bool eventually(Condition condition) {
  const auto give_up = std::chrono::steady_clock::now() + case_deadline() / 3;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > give_up) return false;
    ::sched_yield();
  }
  return true;
}

std::size_t thread_count();
std::size_t descriptor_count();
bool has_children();

pid_t this_thread_id();
std::string this_thread_name();
// The kernel's names of all threads of this process, sorted: what `ps -L` shows.
std::vector<std::string> thread_names();
// True when the kernel shows the thread as sleeping.
bool is_asleep(pid_t thread);

// CPU time used so far by one thread, or by all of them.
std::chrono::nanoseconds thread_cpu_time();
std::chrono::nanoseconds thread_cpu_time(pthread_t thread);

// CPUs this process may use, by affinity mask and cgroup quota, rounded up.
std::size_t usable_cpus();

// A thread that other threads can see fall asleep; joined by its destructor.
class ProbedThread {
 public:
  explicit ProbedThread(std::function<void()> body);
  ~ProbedThread() { join(); }
  ProbedThread(const ProbedThread&) = delete;
  ProbedThread& operator=(const ProbedThread&) = delete;

  void wait_until_asleep() const;
  void join();

 private:
  std::atomic<pid_t> id_{0};
  std::thread thread_;
};

}  // namespace plait::test
