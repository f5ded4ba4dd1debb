// A process pool and what else its process does: signals, other children, threads, limits, exit().
#include <doctest/doctest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <plait/executors/process_pool_executor.hpp>

#include "../support/process_probe.hpp"
#include "../support/scenario.hpp"

namespace plait::test {
namespace {

void check(const Scenario& scenario) { check_scenario("process_surroundings", scenario); }

TEST_SUITE_BEGIN("executors/process_surroundings");

TEST_CASE("children: whoever else asks for SIGCHLD or for all children, results are right") {
  for (const char* const name : {"sigchld_ignored", "sigchld_without_zombies",
                                 "sigchld_handler_takes_all", "thread_takes_all"}) {
    check({name, "", 0});
  }
}

TEST_CASE("children: the user's own ones are left to the user") {
  check({"users_child_is_the_users", "", 0});
}

TEST_CASE("signals: those that interrupt whatever waits change nothing") {
  check({"signals_all_the_time", "", 0});
}

TEST_CASE("death: when the process is killed its workers are, too, whatever they do") {
  check({"parent_is_killed", "", 0});
}

TEST_CASE("threads: the end of the one that made the pool ends no worker") {
  check({"thread_that_made_it_ends", "", 0});
}

TEST_CASE("limits: where the kernel gives no pidfd, deaths are seen all the same") {
  check({"pidfd_is_refused", "", 0});
}

TEST_CASE("limits: where no process can be made, tasks fail, and later ones run") {
  check({"processes_are_limited", "", 0});
}

TEST_CASE("output: what a task writes comes once, before its result") {
  check({"output_comes_before_the_result", "apple pear before after ", 0});
}

TEST_CASE("exit: first runs what was accepted, unless it is called by the pool's own thread") {
  check({"main_returns_after_shutdown_without_waiting", "apple\napple\n", 0});
  check({"main_returns_with_work_queued", "apple\napple\n", 0});
  check({"exit_in_callback", "", 0});
  check({"_exit_with_work_queued", "ok\n", 0});
}

// Keeps the locks of malloc, of streams and of its own busy.
class BusyThreads {
 public:
  explicit BusyThreads(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) threads_.emplace_back([this] { work(); });
  }
  ~BusyThreads() {
    stop_ = true;
    for (auto& thread : threads_) thread.join();
  }
  BusyThreads(const BusyThreads&) = delete;
  BusyThreads& operator=(const BusyThreads&) = delete;

 private:
  void work() {
    while (!stop_) {
      std::ostringstream text;
      for (int i = 0; i < 100; ++i) text << i << std::string(static_cast<std::size_t>(i), 'x');
      const std::scoped_lock lock(mutex_);
      last_ = text.str();
    }
  }

  std::atomic<bool> stop_ = false;
  std::mutex mutex_;
  std::string last_;
  std::vector<std::thread> threads_;
};

int add(int a, int b) { return a + b; }

TEST_CASE("threads: 100 workers start while all others are busy") {
  const BusyThreads busy(8);
  ProcessPoolExecutor pool(
      {.max_workers = 2, .initializer = [] { std::string(1000, 'x'); }, .max_tasks_per_child = 1});
  std::vector<Future<int>> futures;
  for (int i = 0; i < 100; ++i) futures.push_back(pool.submit(add, i, 1));
  for (int i = 0; i < 100; ++i) {
    CHECK(futures[static_cast<std::size_t>(i)].result(case_deadline()) == i + 1);
  }
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
