// Where a process pool's own thread runs out of memory: every future ends, and so does the pool.
#include <doctest/doctest.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <new>
#include <string_view>
#include <vector>

#include <plait/executors/process_pool_executor.hpp>

#include "../support/log_capture.hpp"
#include "../support/nothing_left.hpp"
#include "../support/process_gate.hpp"

namespace {

// How many more allocations of this thread succeed; negative: all of them. After that one fails, or
// all do.
thread_local int allocations_left = -1;
thread_local bool memory_comes_back = true;
std::atomic<bool> failed = false;

void* allocate(std::size_t size) {
  if (allocations_left == 0) {
    failed = true;
    if (memory_comes_back) allocations_left = -1;
    throw std::bad_alloc();
  }
  if (allocations_left > 0) --allocations_left;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}

}  // namespace

// Not inlined, as GCC would warn of a free() that it does not know to belong to this operator new.
[[gnu::noinline]] void* operator new(std::size_t size) { return allocate(size); }
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace plait::test {
namespace {

constexpr auto limit = 10s;

int same(int value) { return value; }
int die(int) { return std::raise(SIGKILL); }

// The log is left empty: to keep it would need memory.
class Silence {
 public:
  Silence() {
    set_log_handler([](LogLevel, std::string_view) {});
  }
  ~Silence() { set_log_handler({}); }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;
};

// What has to be done when memory runs out.
struct Story {
  const char* name;
  ProcessPoolOptions options;
  // Asks for it; the pool's one worker waits at a gate meanwhile.
  void (*ask)(ProcessPoolExecutor& pool, std::vector<Future<int>>& futures);
};

void ask_for_work(ProcessPoolExecutor& pool, std::vector<Future<int>>& futures) {
  for (int i = 0; i < 3; ++i) futures.push_back(pool.submit({.priority = i % 2}, same, i));
}
void ask_for_deaths(ProcessPoolExecutor& pool, std::vector<Future<int>>& futures) {
  futures.push_back(pool.submit(die, 0));
  futures.push_back(pool.submit({.retries = 1}, die, 0));
  futures.push_back(pool.submit(same, 1));
}
void ask_to_cancel(ProcessPoolExecutor& pool, std::vector<Future<int>>& futures) {
  ask_for_work(pool, futures);
  pool.shutdown({.wait = false, .cancel_futures = true});
}
void ask_to_kill_all(ProcessPoolExecutor& pool, std::vector<Future<int>>& futures) {
  ask_for_work(pool, futures);
  pool.kill_workers();
}

const Story stories[] = {
    {"tasks are given to a worker", {.max_workers = 1}, ask_for_work},
    {"workers are replaced", {.max_workers = 1, .max_tasks_per_child = 1}, ask_for_work},
    {"workers die", {.max_workers = 1}, ask_for_deaths},
    {"a death breaks the pool",
     {.max_workers = 1, .on_worker_death = OnWorkerDeath::break_pool},
     ask_for_deaths},
    {"tasks are cancelled", {.max_workers = 1}, ask_to_cancel},
    {"workers are killed", {.max_workers = 1}, ask_to_kill_all},
};

// It has a value, or an error that tells of its worker's end, of its pool's, or of its
// cancellation.
void check_ends(const Future<int>& future) {
  try {
    future.result(limit);
  } catch (const BrokenProcessPool&) {
  } catch (const WorkerDied&) {
  } catch (const CancelledError&) {
  }
  CHECK(future.done());
}

// It works or says why not.
void check_answers(ProcessPoolExecutor& pool) {
  try {
    const int five = pool.submit(same, 5).result(limit);
    CHECK(five == 5);
  } catch (const BrokenProcessPool&) {
  } catch (const RuntimeError& error) {
    CHECK(holds(error.what(), "after shutdown"));
  }
}

// Memory runs out in the pool's own thread, after so many allocations. False: nothing failed.
bool play(const Story& story, int allocations, bool comes_back) {
  failed = false;
  ProcessPoolExecutor pool(story.options);
  std::vector<Future<int>> futures;
  {
    ProcessGate gate;
    futures.push_back(pool.submit(pass_gate, gate.folder(), 0));
    CHECK(gate.wait_for_arrivals(1) == "a");
    story.ask(pool, futures);
    futures[0].add_done_callback([=](const auto&) {
      memory_comes_back = comes_back;
      allocations_left = allocations;
    });
    gate.let_through(1);
    for (const auto& future : futures) check_ends(future);
  }
  check_answers(pool);
  pool.shutdown();
  CHECK(pool.worker_pids().empty());
  return failed;
}

TEST_SUITE_BEGIN("executors/process_manager_failure");

// Again and again, each time with more allocations that succeed before; the gaps grow with their
// number.
void play_all(int gaps, bool comes_back) {
  for (const Story& story : stories) {
    SUBCASE(story.name) {  // each has a deadline of its own
      const Silence silence;
      for (int left = 0; play(story, left, comes_back);) left += 1 + left / gaps;
    }
  }
}

TEST_CASE_FIXTURE(NothingLeft, "manager: whichever allocation fails, every future ends") {
  play_all(8, true);
}

TEST_CASE_FIXTURE(NothingLeft, "manager: where memory does not come back, every future ends") {
  play_all(4, false);
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
