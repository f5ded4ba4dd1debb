// Question: what does it cost to have a function run in another process?
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <numeric>
#include <optional>
#include <plait/executors/process_pool_executor.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "harness.hpp"
#include "processes_peers.hpp"

namespace {

using bench::Contender;

int increment(int number) { return number + 1; }
std::size_t length(const std::vector<char>& bytes) { return bytes.size(); }

// Made before it is asked for, so that only its way back is measured.
std::vector<char> ready;
std::size_t prepare(std::size_t size) {
  ready.assign(size, 'x');
  return size;
}
std::vector<char> give() { return std::move(ready); }

struct Loads {
  unsigned tasks, rounds, elements;
  std::size_t bytes;
};

double flood(plait::ProcessPoolExecutor& pool, unsigned tasks) {
  std::vector<plait::Future<int>> futures;
  futures.reserve(tasks);
  long sum = 0;
  const double all = bench::nanoseconds_of([&] {
    for (unsigned i = 0; i < tasks; ++i) {
      futures.push_back(pool.submit(increment, static_cast<int>(i)));
    }
    for (const auto& future : futures) sum += future.result();
  });
  bench::require(sum == (long{tasks} + 1) * tasks / 2, "the sum of the results");
  return all / tasks;
}

double round_trip(plait::ProcessPoolExecutor& pool, unsigned rounds) {
  return bench::nanoseconds_of([&] {
           for (unsigned i = 0; i < rounds; ++i) {
             bench::require(pool.submit(increment, 1).result() == 2, "a result");
           }
         }) /
         rounds;
}

double map(plait::ProcessPoolExecutor& pool, unsigned elements) {
  std::vector<int> numbers(elements);
  std::iota(numbers.begin(), numbers.end(), 0);
  long sum = 0;
  const double all = bench::nanoseconds_of([&] {
    for (const int value : pool.map({.chunksize = plait::auto_chunksize}, increment, numbers)) {
      sum += value;
    }
  });
  bench::require(sum == (long{elements} + 1) * elements / 2, "the sum of the elements");
  return all / elements;
}

double argument(plait::ProcessPoolExecutor& pool, std::size_t size, bool move) {
  std::vector<char> bytes(size, 'x');
  std::size_t found = 0;
  const double time = bench::nanoseconds_of([&] {
    found = (move ? pool.submit(length, std::move(bytes)) : pool.submit(length, bytes)).result();
  });
  bench::require(found == size, "the length of the argument");
  return time;
}

double result(plait::ProcessPoolExecutor& pool, std::size_t size) {
  pool.submit(prepare, size).result();
  std::size_t found = 0;
  const double time = bench::nanoseconds_of([&] { found = pool.submit(give).result().size(); });
  bench::require(found == size, "the length of the result");
  return time;
}

std::size_t touch(plait::SharedArray<char> bytes) {
  bytes[bytes.size() - 1] = 'y';
  return bytes.size();
}
double shared(plait::ProcessPoolExecutor& pool, const plait::SharedArray<char>& array) {
  std::size_t found = 0;
  const double time = bench::nanoseconds_of([&] { found = pool.submit(touch, array).result(); });
  bench::require(found == array.size() && array[found - 1] == 'y', "what the task has written");
  return time;
}

double first_result() {
  return bench::nanoseconds_of([] {
    plait::ProcessPoolExecutor pool(1);
    bench::require(pool.submit(increment, 1).result() == 2, "the first result");
  });
}

// From the signal until the lost task's future has failed; `next`: until the next one's result.
double after_death(plait::ProcessPoolExecutor& pool, bool next) {
  const auto lost = pool.submit([] { ::pause(); });
  while (!lost.running()) std::this_thread::yield();
  const auto start = std::chrono::steady_clock::now();
  ::kill(pool.worker_pids().at(0), SIGKILL);
  bench::require(lost.exception() != nullptr, "an exception");
  const auto failed = std::chrono::steady_clock::now();
  bench::require(pool.submit(increment, 1).result() == 2, "the result after a death");
  const auto end = std::chrono::steady_clock::now();
  return std::chrono::duration<double, std::nano>(next ? end - failed : failed - start).count();
}

void measure_tasks(bench::Report& report, const Loads& loads, const bench::BarePeer& echo) {
  static constexpr std::size_t message = 64;
  plait::ProcessPoolExecutor two(2), one(1);
  (void)flood(two, 1000);
  (void)round_trip(one, 100);
  report.measure("20,000 tasks at once",
                 {{"plait", [&] { return flood(two, loads.tasks); }, 3000.0},
                  {"CPython", [&] { return bench::cpython("flood", loads.tasks / 10); }}});
  report.measure("one task at a time",
                 {{"plait", [&] { return round_trip(one, loads.rounds); }},
                  {"bare socketpair",
                   [&] { return bench::bare_round_trip(echo, message, loads.rounds); }, 1.5},
                  {"CPython", [&] { return bench::cpython("round_trip", loads.rounds / 5); }}});
  report.measure("map(), an element",
                 {{"plait", [&] { return map(two, loads.elements); }, 100.0},
                  {"CPython", [&] { return bench::cpython("map", loads.elements); }}});
}

void measure_bytes(bench::Report& report, const Loads& loads, const bench::BarePeer& swallower) {
  plait::ProcessPoolExecutor pool(1);
  (void)round_trip(pool, 1);
  const auto bare = [&] { return bench::bare_transfer(swallower, loads.bytes); };
  report.measure("64 MiB in, moved",
                 {{"plait", [&] { return argument(pool, loads.bytes, true); }},
                  {"bare socketpair", bare, 1.3},
                  {"CPython", [&] { return bench::cpython("argument", loads.bytes); }}});
  report.measure(
      "64 MiB in, copied",
      {{"plait", [&] { return argument(pool, loads.bytes, false); }}, {"bare socketpair", bare}});
  report.measure("64 MiB out",
                 {{"plait", [&] { return result(pool, loads.bytes); }},
                  {"bare socketpair", bare, 1.3},
                  {"CPython", [&] { return bench::cpython("result", loads.bytes); }}});
  const auto array = pool.shared_array<char>(loads.bytes);
  report.measure("64 MiB in and out, shared_array",
                 {{"plait", [&] { return shared(pool, array); }, 1e6}});
}

void measure_lives(bench::Report& report) {
  report.measure("start to first result, and end", {{"plait", first_result, 8e6}});
  plait::ProcessPoolExecutor pool(1);
  report.measure("SIGKILL to WorkerDied",
                 {{"plait", [&] { return after_death(pool, false); }, 50e6}});
  report.measure("then to the next result",
                 {{"plait", [&] { return after_death(pool, true); }, 20e6}});
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Options options = bench::parse_options(argc, argv);
  const Loads loads =
      options.quick
          ? Loads{.tasks = 500, .rounds = 50, .elements = 5'000, .bytes = 1 << 20}
          : Loads{.tasks = 20'000, .rounds = 3'000, .elements = 1'000'000, .bytes = 64UL << 20};
  // Forked before there are threads.
  const auto echo = bench::BarePeer::echo(64);
  const auto swallower = bench::BarePeer::swallow(loads.bytes);
  bench::Report report("processes: functions that run in another process", "ns", options);
  measure_tasks(report, loads, echo);
  measure_bytes(report, loads, swallower);
  measure_lives(report);
}
