// What a benchmark program sees of a system that forks and joins: functions only, none of its
// headers.
#pragma once

#include <string>

namespace bench {

/// One system. Each function solves its problem once with `threads` threads, checks the answer and
/// gives the nanoseconds that it took; start and warm-up of the threads are not among them. A null
/// function: the system is not asked.
struct ForkJoinContender {
  std::string name;
  double (*fib)(int n, int threads);         ///< fib(n - 1) and fib(n - 2) at the same time
  double (*skynet)(int depth, int threads);  ///< ten children a node; adds the leaves up
  double (*nqueens)(int n, int threads);     ///< each legal place in the next row is a child
};

/// Ours: coroutines on a pool.
ForkJoinContender plait_fork_join();
/// oneTBB's task_group: run() for each child, then wait().
ForkJoinContender tbb_task_group();
/// The same, but run_and_wait() for the last child, which makes one task less.
ForkJoinContender tbb_task_group_run_and_wait();
/// oneTBB's parallel_invoke, for fib only: it needs to know the number of children.
ForkJoinContender tbb_parallel_invoke();

}  // namespace bench
