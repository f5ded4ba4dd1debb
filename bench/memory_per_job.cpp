// Question: how much memory does a waiting job take, together with the future that waits for it?
#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include "harness.hpp"
#include "job_contender.hpp"

namespace {

std::atomic<std::size_t> requested_bytes{0};
std::atomic<std::size_t> calls_of_new{0};

bench::HeapUse heap_use() {
  const struct mallinfo2 info = mallinfo2();
  return {static_cast<double>(info.uordblks + info.hblkhd),
          static_cast<double>(requested_bytes.load()), static_cast<double>(calls_of_new.load())};
}

void* checked(void* block) {
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

void count(std::size_t size) {
  requested_bytes += size;
  ++calls_of_new;
}

using Field = double bench::HeapUse::*;

void measure(bench::Report& report, const std::string& name, Field field, std::size_t jobs,
             std::optional<double> aim) {
  std::vector<bench::JobContender> systems{bench::plait_jobs(), bench::asio_jobs()};
  for (const bench::JobContender& system : bench::boost_thread_jobs()) systems.push_back(system);
  std::vector<bench::Contender> contenders;
  for (const bench::JobContender& system : systems) {
    contenders.push_back({system.name, [field, jobs, run = system.memory_per_job] {
                            return run({jobs, &heap_use}).*field;
                          }});
  }
  contenders.front().aim = aim;
  report.measure(name, contenders);
}

}  // namespace

// Replaced for this program, so that it can count; what malloc does with a request stays the same.
void* operator new(std::size_t size) {
  count(size);
  return checked(std::malloc(size == 0 ? 1 : size));
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  count(size);
  void* block = nullptr;
  const int failed = posix_memalign(&block, static_cast<std::size_t>(alignment), size);
  return checked(failed == 0 ? block : nullptr);
}
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }
void operator delete(void* block, std::align_val_t) noexcept { std::free(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { std::free(block); }

int main(int argc, char** argv) {
  const bench::Options options = bench::parse_options(argc, argv, {.repeat = 1});
  const std::size_t jobs = options.quick ? 20'000 : 1'000'000;
  bench::Report report("memory_per_job: " + std::to_string(jobs) +
                           " jobs with their Future<int> wait for one blocked worker",
                       "a job", options);

  constexpr double aim_bytes = 128.0;
  measure(report, "heap bytes, handle included", &bench::HeapUse::heap, jobs, aim_bytes);
  measure(report, "bytes asked of operator new", &bench::HeapUse::requested, jobs, {});
  measure(report, "calls of operator new", &bench::HeapUse::allocations, jobs, {});
}
