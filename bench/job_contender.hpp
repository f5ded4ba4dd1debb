// What a benchmark program sees of a pool of jobs: functions only, none of the pool's own headers.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace bench {

/// Many jobs that do nothing, submitted by one or more threads, and every result read.
struct FloodLoad {
  std::size_t jobs;
  unsigned workers;
  unsigned submitters;
};

/// One job at a time; the submitter sleeps `pause` before each.
struct RoundTripLoad {
  std::size_t jobs;
  unsigned workers;
  std::chrono::milliseconds pause;
};

/// A pool whose workers have all worked once, and then nothing.
struct IdleLoad {
  unsigned workers;
  std::chrono::duration<double> watched;
};

/// Totals at one moment, or what one job adds to them.
struct HeapUse {
  double heap;         ///< Bytes in use, malloc's own overhead included.
  double requested;    ///< Bytes asked for through operator new, deleted since or not.
  double allocations;  ///< Calls of operator new.
};

/// Jobs that wait behind a job that blocks the only worker.
struct MemoryLoad {
  std::size_t jobs;
  HeapUse (*probe)();
};

/// One system with a pool of jobs. A null function: the system cannot carry that load.
struct JobContender {
  std::string name;
  double (*flood)(const FloodLoad&);
  double (*round_trip)(const RoundTripLoad&);
  double (*idle_cpu_percent)(const IdleLoad&);
  HeapUse (*memory_per_job)(const MemoryLoad&);
};

/// Ours.
JobContender plait_jobs();
/// Boost.Asio's thread_pool; a posted std::packaged_task gives the result.
JobContender asio_jobs();
/// Boost.Thread's basic_thread_pool and boost::async; empty with Clang, which rejects its headers.
std::vector<JobContender> boost_thread_jobs();
/// std::async: a new thread a job, so the number of workers means nothing to it.
JobContender std_async_jobs();

}  // namespace bench
