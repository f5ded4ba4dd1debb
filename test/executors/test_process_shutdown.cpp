// Tests of ProcessPoolExecutor: its end, in whatever state it is, by whomever, and what it leaves.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <plait/executors/process_pool_executor.hpp>

#include "../support/log_capture.hpp"
#include "../support/process_probe.hpp"
#include "../support/worker_gate.hpp"

using namespace plait;
using namespace std::chrono_literals;

namespace {

constexpr auto limit = 20s;

using test::WorkerFolder;
using test::WorkerGate;

int add(int a, int b) { return a + b; }
int pid() { return ::getpid(); }
void pass(const std::string& gate) { test::pass_gate(gate); }
void start_gate() { test::pass_gate(WorkerFolder::in_worker("start")); }

// Cannot be written, or cannot be read.
struct Unsendable {
  template <class Archive>
  void save(Archive&) const {
    throw std::domain_error("cannot be written");
  }
  template <class Archive>
  void load(Archive&) {}
};
struct Unreadable {
  int value = 0;
  template <class Archive>
  void save(Archive& archive) const {
    archive(value);
  }
  template <class Archive>
  void load(Archive&) {
    throw std::domain_error("cannot be read");
  }
};

void check_shut_down(ProcessPoolExecutor& pool) {
  CHECK_THROWS_AS((void)pool.submit(pid), RuntimeError);
  CHECK(pool.worker_pids().empty());
  CHECK_FALSE(test::has_children());
}

TEST_SUITE_BEGIN("executors/process_shutdown");

// ---------------------------------------------------------------- 17: shutdown()

TEST_CASE("shutdown: before the first submit, twice, and from several threads") {
  ProcessPoolExecutor unused(2);
  unused.shutdown();
  unused.shutdown({.wait = true, .cancel_futures = true});
  check_shut_down(unused);
  WorkerFolder folder;
  WorkerGate gate(folder / "gate");
  ProcessPoolExecutor pool(2);
  auto blocked = pool.submit(pass, gate.path());
  gate.wait_for_arrival();
  {
    const test::ProbedThread first([&] { pool.shutdown(); });
    const test::ProbedThread second([&] { pool.shutdown(); });
    first.wait_until_asleep();
    second.wait_until_asleep();
    CHECK_FALSE(blocked.done());
    gate.open();
  }
  CHECK(blocked.done());
  check_shut_down(pool);
}

TEST_CASE("shutdown: while the workers start, with work and without") {
  for (const bool cancel : {true, false}) {
    WorkerFolder folder;
    WorkerGate start(folder / "start");
    ProcessPoolExecutor pool({.max_workers = 1, .initializer = start_gate});
    auto future = pool.submit(add, 2, 3);
    start.wait_for_arrival();
    pool.shutdown({.wait = false, .cancel_futures = cancel});
    start.open();
    pool.shutdown();
    CHECK(future.cancelled() == cancel);
    if (!cancel) CHECK(future.result() == 5);
    check_shut_down(pool);
  }
}

TEST_CASE("shutdown: while a task crashes, the others still run") {
  for (const int retries : {0, 1}) {
    WorkerFolder folder;
    WorkerGate gate(folder / "gate");
    ProcessPoolExecutor pool(1);
    auto crashes = pool.submit(
        {.retries = retries},
        [](const std::string& path, const std::string& ran) {
          if (test::exists(ran)) return;
          test::touch(ran);
          test::pass_gate(path);
          std::raise(SIGSEGV);
        },
        gate.path(), folder / "ran");
    gate.wait_for_arrival();
    auto other = pool.submit(add, 2, 3);
    pool.shutdown({.wait = false});
    gate.open();
    pool.shutdown();
    CHECK((crashes.exception() == nullptr) == (retries == 1));
    CHECK(other.result() == 5);
    check_shut_down(pool);
  }
}

TEST_CASE("shutdown: with arguments that cannot be written and results that cannot be read") {
  ProcessPoolExecutor pool(2);
  std::vector<Future<void>> unsendable;
  std::vector<Future<Unreadable>> unreadable;
  for (int i = 0; i < 10; ++i) {
    unsendable.push_back(pool.submit([](Unsendable) {}, Unsendable()));
    unreadable.push_back(pool.submit([] { return Unreadable(); }));
  }
  pool.shutdown({.wait = false});
  pool.shutdown();
  for (auto& future : unsendable) CHECK_THROWS_AS(future.result(), SerializationError);
  for (auto& future : unreadable) CHECK_THROWS_AS((void)future.result(), SerializationError);
  check_shut_down(pool);
}

// ---------------------------------------------------------------- 18: and cancel()

TEST_CASE("shutdown: right after submit and cancel, it returns") {
  for (int round = 0; round < 100; ++round) {
    ProcessPoolExecutor pool(1);
    auto future = pool.submit(add, 2, 3);
    const bool cancelled = future.cancel();
    pool.shutdown();
    CHECK(future.cancelled() == cancelled);
    if (!cancelled) CHECK(future.result() == 5);
  }
}

TEST_CASE("shutdown: cancel_futures cancels and tells all that has not started") {
  WorkerFolder folder;
  WorkerGate gate(folder / "gate");
  ProcessPoolExecutor pool(1);
  auto running = pool.submit(pass, gate.path());
  gate.wait_for_arrival();
  std::vector<Future<int>> queued;
  std::atomic<int> told = 0;
  for (int i = 0; i < 50; ++i) {
    queued.push_back(pool.submit(add, i, i));
    queued.back().add_done_callback([&](auto&&) { ++told; });
  }
  const test::ProbedThread waiter([&] { CHECK_THROWS_AS(queued.back().result(), CancelledError); });
  waiter.wait_until_asleep();
  pool.shutdown({.wait = false, .cancel_futures = true});
  CHECK(test::eventually([&] { return told == 50; }));
  for (auto& future : queued) CHECK(future.cancelled());
  gate.open();
  pool.shutdown();
  CHECK_NOTHROW(running.result());
  check_shut_down(pool);
}

// ---------------------------------------------------------------- 27: what is left

TEST_CASE("worker: it has its standard streams, its socket and its lifeline, and nothing else") {
  const int unrelated = ::open("/dev/null", O_RDONLY);  // not even what lacks close-on-exec
  ProcessPoolExecutor pool(2);
  for (int i = 0; i < 2; ++i) {
    const auto open =
        pool.submit([] {
              std::vector<std::string> links;
              for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
                links.push_back(entry.path().filename());
              }
              return links;
            })
            .result(limit);
    CHECK(open.size() == 6);  // with the one that reads the folder
    for (const auto& name : open) CHECK(std::stoi(name) <= 5);
  }
  ::close(unrelated);
}

TEST_CASE("shutdown: 50 pools leave no descriptor, no thread and no child behind") {
  const auto descriptors = test::descriptor_count();
  for (int i = 0; i < 50; ++i) {
    ProcessPoolExecutor pool(1);
    CHECK(pool.submit(add, i, 1).result(limit) == i + 1);
  }
  CHECK(test::descriptor_count() == descriptors);
  CHECK_FALSE(test::has_children());
}

// The exit status of a child made by fork() that runs body; -1 where it does not end.
int status_of_child(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(5);
    ::_exit(body());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_CASE("fork: the child refuses to submit and holds nothing of the pool, the parent goes on") {
  const auto descriptors = test::descriptor_count();
  ProcessPoolExecutor pool(1);
  const int worker = pool.submit(pid).result(limit);
  WorkerFolder folder;
  WorkerGate gate(folder / "gate");
  auto running = pool.submit(pass, gate.path());
  gate.wait_for_arrival();
  auto queued = pool.submit(add, 2, 3);
  const int status = status_of_child([&] {
    int wrong = 0;
    wrong += test::text_of<RuntimeError>([&] { (void)pool.submit(pid); }).empty() ? 1 : 0;
    wrong += test::text_of<RuntimeError>([&] { (void)queued.result(); }).empty() ? 2 : 0;
    wrong += test::descriptor_count() != descriptors + 1 ? 4 : 0;  // the gate's
    wrong += pool.worker_pids().empty() ? 0 : 8;
    pool.kill_workers();
    pool.shutdown();
    return wrong;
  });
  CHECK(status == 0);
  CHECK(pool.worker_pids() == std::vector<int>{worker});
  gate.open();
  CHECK_NOTHROW(running.result(limit));
  CHECK(queued.result(limit) == 5);
}

TEST_CASE("fork: whatever the pool does at that moment, the child can ask it") {
  ProcessPoolExecutor pool(1);
  pool.submit(pid).result(limit);
  std::atomic<bool> stop = false;
  std::thread busy([&] {
    while (!stop) (void)pool.worker_pids();
  });
  int refused = 0;
  for (int i = 0; i < 100 && refused == i; ++i) {
    refused +=
        1 == status_of_child([&] {
          return test::text_of<RuntimeError>([&] { (void)pool.submit(pid); }).empty() ? 0 : 1;
        });
  }
  stop = true;
  busy.join();
  CHECK(refused == 100);
}

#if !defined(__SANITIZE_THREAD__)  // which lets the child of a program with threads have none
TEST_CASE("fork: the child may have a pool of its own") {
  ProcessPoolExecutor pool(1);
  CHECK(pool.submit(add, 2, 3).result(limit) == 5);
  CHECK(status_of_child([] {
          ProcessPoolExecutor own(1);
          return own.submit(add, 2, 3).result(3s);
        }) == 5);
  CHECK(pool.submit(add, 2, 3).result(limit) == 5);
}
#endif

// ---------------------------------------------------------------- 29: in a done-callback

// Holds the pool's own thread in a done-callback: body runs there.
void in_callback(ProcessPoolExecutor& pool, const std::function<void()>& body) {
  WorkerFolder folder;
  WorkerGate gate(folder / "gate");
  std::promise<void> ran;
  auto future = pool.submit(pass, gate.path());
  future.add_done_callback([&](auto&&) {
    try {
      body();
    } catch (...) {
      ran.set_value();
      throw;
    }
    ran.set_value();
  });
  gate.wait_for_arrival();
  gate.open();
  REQUIRE(ran.get_future().wait_for(limit) == std::future_status::ready);
}

TEST_CASE("callback: it may throw, submit, cancel and kill") {
  const test::LogCapture quiet;
  ProcessPoolExecutor pool(1);
  in_callback(pool, [] { throw std::domain_error("from a callback"); });
  Future<int> submitted, cancelled;
  in_callback(pool, [&] {
    submitted = pool.submit(add, 2, 3);
    cancelled = pool.submit(add, 2, 3);
    CHECK(cancelled.cancel());
  });
  CHECK(submitted.result(limit) == 5);
  CHECK(cancelled.cancelled());
  Future<void> killed;
  in_callback(pool, [&] {
    killed = pool.submit([] { ::pause(); });
    CHECK(pool.kill_task(killed));
  });
  CHECK_THROWS_AS(killed.result(limit), CancelledError);
}

TEST_CASE("callback: it may shut down, and does not wait for itself") {
  ProcessPoolExecutor pool(2);
  Future<int> last;
  in_callback(pool, [&] {
    last = pool.submit(add, 2, 3);
    pool.shutdown();
    CHECK_THROWS_AS((void)pool.submit(pid), RuntimeError);
  });
  pool.shutdown();
  CHECK(last.result() == 5);
  check_shut_down(pool);
}

TEST_CASE("callback: it may kill the workers") {
  ProcessPoolExecutor pool(1);
  in_callback(pool, [&] { pool.kill_workers(); });
  pool.shutdown();
  check_shut_down(pool);
}

TEST_CASE("callback: it may destroy the pool") {
  auto pool = std::make_unique<ProcessPoolExecutor>(2);
  Future<int> last;
  in_callback(*pool, [&] {
    last = pool->submit(add, 2, 3);
    pool.reset();
  });
  CHECK(last.result(limit) == 5);
  CHECK_FALSE(pool);
}

TEST_CASE("callback: to wait there for the same pool throws, as it would never end") {
  ProcessPoolExecutor pool(2);
  std::string text;
  in_callback(pool, [&] {
    auto other = pool.submit(add, 2, 3);
    text = test::text_of<RuntimeError>([&] { (void)other.result(1s); });
  });
  CHECK_FALSE(text.empty());
}

TEST_SUITE_END();

}  // namespace
