// Peers of fork_join: oneTBB's task_group and parallel_invoke.
#include <tbb/parallel_invoke.h>
#include <tbb/task_group.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>

#include "fork_join_contender.hpp"
#include "fork_join_loads.hpp"
#include "tbb_threads.hpp"

namespace bench {
namespace {

// The last child is run like the others, as oneTBB's guide has it, or at once by who waits, which
// makes one task less.
enum class LastChild { spawned, run_here };

template <LastChild last, class Child>
void run_last(tbb::task_group& group, const Child& child) {
  if constexpr (last == LastChild::spawned) {
    group.run(child);
    group.wait();
  } else {
    group.run_and_wait(child);
  }
}

template <LastChild last>
int fib_by_group(int n) {
  if (n < 2) return n;
  int a = 0;
  int b = 0;
  tbb::task_group group;
  group.run([&a, n] { a = fib_by_group<last>(n - 1); });
  run_last<last>(group, [&b, n] { b = fib_by_group<last>(n - 2); });
  return a + b;
}

int fib_by_invoke(int n) {
  if (n < 2) return n;
  int a = 0;
  int b = 0;
  tbb::parallel_invoke([&a, n] { a = fib_by_invoke(n - 1); },
                       [&b, n] { b = fib_by_invoke(n - 2); });
  return a + b;
}

template <LastChild last>
std::uint64_t sum_of(Skynet tree) {
  if (tree.is_leaf()) return tree.first;
  std::array<std::uint64_t, skynet_children> sums{};
  const auto child = [&sums, tree](std::size_t i) {
    return [&sums, tree, i] { sums[i] = sum_of<last>(tree.child(i)); };
  };
  tbb::task_group group;
  for (std::size_t i = 0; i + 1 < skynet_children; ++i) group.run(child(i));
  run_last<last>(group, child(skynet_children - 1));
  return std::accumulate(sums.begin(), sums.end(), std::uint64_t{0});
}

template <LastChild last>
int solutions_of(Board board) {
  if (board.full()) return 1;
  std::array<int, Board::max_size> columns{};
  std::size_t children = 0;
  for (int column = 0; column < board.size; ++column) {
    if (board.legal(column)) columns[children++] = column;
  }
  if (children == 0) return 0;
  std::array<int, Board::max_size> solutions{};
  const auto child = [&](std::size_t i) {
    return [&solution = solutions[i], next = board.with(columns[i])] {
      solution = solutions_of<last>(next);
    };
  };
  tbb::task_group group;
  for (std::size_t i = 0; i + 1 < children; ++i) group.run(child(i));
  run_last<last>(group, child(children - 1));
  return std::accumulate(solutions.begin(), solutions.end(), 0);
}

template <class Function, class Argument, class Answer>
double solve(Function function, Argument argument, int threads, Answer right) {
  Answer answer{};
  const double elapsed = TbbThreads(threads).nanoseconds_of([&] { answer = function(argument); });
  require(answer == right, "oneTBB's fork and join");
  return elapsed;
}

template <LastChild last>
ForkJoinContender task_group(const char* name) {
  return {.name = name,
          .fib = [](int n, int threads) { return solve(fib_by_group<last>, n, threads, fib(n)); },
          .skynet =
              [](int depth, int threads) {
                const Skynet tree = skynet_tree(depth);
                return solve(sum_of<last>, tree, threads, skynet_sum(tree));
              },
          .nqueens =
              [](int n, int threads) {
                return solve(solutions_of<last>, Board{.size = n}, threads, nqueens_answer(n));
              }};
}

}  // namespace

ForkJoinContender tbb_task_group() { return task_group<LastChild::spawned>("oneTBB task_group"); }
ForkJoinContender tbb_task_group_run_and_wait() {
  return task_group<LastChild::run_here>("oneTBB task_group, run_and_wait");
}

ForkJoinContender tbb_parallel_invoke() {
  return {.name = "oneTBB parallel_invoke",
          .fib = [](int n, int threads) { return solve(fib_by_invoke, n, threads, fib(n)); },
          .skynet = nullptr,
          .nqueens = nullptr};
}

}  // namespace bench
