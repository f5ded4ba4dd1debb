// The test runner: doctest's main, a deadline for every case, and a check that no case leaves
// anything behind.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "process_probe.hpp"
#include "tsan_suppressions.hpp"

namespace plait::test {
namespace {

// Aborts the program, naming the case, when a case outlives its deadline. A thread and not alarm():
// ThreadSanitizer postpones signal handlers for as long as a thread is blocked, which is the very
// situation to catch.
class Watchdog {
 public:
  Watchdog() : thread_([this] { run(); }) {}
  ~Watchdog() {
    tell({}, /*stop=*/true);
    thread_.join();
  }

  void watch(std::string name) { tell(std::move(name), false); }
  void rest() { tell({}, false); }

 private:
  void tell(std::string name, bool stop) {
    const std::scoped_lock lock(mutex_);
    name_ = std::move(name);
    stop_ = stop;
    ++generation_;
    changed_.notify_all();
  }

  void run() {
    std::unique_lock lock(mutex_);
    while (!stop_) {
      const auto seen = generation_;
      const auto news = [&] { return generation_ != seen; };
      if (name_.empty()) {
        changed_.wait(lock, news);
      } else if (!changed_.wait_for(lock, case_deadline(), news)) {
        std::fprintf(stderr, "\ndeadline of %.0f s passed in: %s\n",
                     std::chrono::duration<double>(case_deadline()).count(), name_.c_str());
        std::signal(SIGABRT, SIG_DFL);  // doctest's handler would wait for locks of the stuck case
        std::abort();
      }
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::string name_;
  bool stop_ = false;
  unsigned generation_ = 0;
  std::thread thread_;
};

struct Belongings {
  std::size_t threads = thread_count();
  std::size_t descriptors = descriptor_count();
  bool children = has_children();
  bool operator==(const Belongings&) const = default;
};

// Cases that left a thread, a descriptor or a child process behind. doctest has already closed its
// books on a case when a listener hears of its end, so main adds them to the exit status.
int leaking_cases = 0;

class CaseGuard : public doctest::IReporter {
 public:
  explicit CaseGuard(const doctest::ContextOptions&) {}

  void test_run_start() override { watchdog_.emplace(); }
  void test_run_end(const doctest::TestRunStats&) override { watchdog_.reset(); }
  void test_case_start(const doctest::TestCaseData& test) override {
    name_ = test.m_name;
    before_ = Belongings();
    watchdog_->watch(name_);
  }
  void test_case_reenter(const doctest::TestCaseData&) override { watchdog_->watch(name_); }
  void test_case_end(const doctest::CurrentTestCaseStats&) override {
    check_for_leaks();
    watchdog_->rest();
  }
  void report_query(const doctest::QueryData&) override {}
  void test_case_exception(const doctest::TestCaseException&) override {}
  void subcase_start(const doctest::SubcaseSignature&) override {}
  void subcase_end() override {}
  void log_assert(const doctest::AssertData&) override {}
  void log_message(const doctest::MessageData&) override {}
  void test_case_skipped(const doctest::TestCaseData&) override {}

 private:
  // A joined thread's entry in /proc goes a moment after join() returns, hence the patience.
  void check_for_leaks() {
    if (eventually([this] { return Belongings() == before_; })) return;
    const Belongings after;
    std::fprintf(stderr,
                 "LEAK in: %s\n  threads %zu -> %zu, descriptors %zu -> %zu, children %d -> %d\n",
                 name_.c_str(), before_.threads, after.threads, before_.descriptors,
                 after.descriptors, before_.children, after.children);
    ++leaking_cases;
  }

  std::optional<Watchdog> watchdog_;
  std::string name_;
  Belongings before_{};
};

}  // namespace
}  // namespace plait::test

namespace doctest {
REGISTER_LISTENER("case_guard", 1, plait::test::CaseGuard);
}  // namespace doctest

int main(int argc, char** argv) {
  doctest::Context context(argc, argv);
  const int status = context.run();
  if (plait::test::leaking_cases == 0) return status;
  std::fprintf(stderr, "%d cases left something behind\n", plait::test::leaking_cases);
  return EXIT_FAILURE;
}
