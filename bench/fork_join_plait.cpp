// Contender of fork_join: plait's coroutines on a ThreadPoolExecutor.
#include <plait/aio.hpp>
#include <plait/futures.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <tuple>
#include <utility>
#include <vector>

#include "fork_join_contender.hpp"
#include "fork_join_loads.hpp"

namespace bench {
namespace {

namespace aio = plait::aio;
using plait::Coroutine;

Coroutine<int> fib_of(int n) {
  if (n < 2) co_return n;
  const auto [a, b] = co_await aio::fork_join(fib_of(n - 1), fib_of(n - 2));
  co_return a + b;
}

Coroutine<std::uint64_t> sum_of(Skynet tree) {
  if (tree.is_leaf()) co_return tree.first;
  const auto sums = co_await aio::fork_join(
      sum_of(tree.child(0)), sum_of(tree.child(1)), sum_of(tree.child(2)), sum_of(tree.child(3)),
      sum_of(tree.child(4)), sum_of(tree.child(5)), sum_of(tree.child(6)), sum_of(tree.child(7)),
      sum_of(tree.child(8)), sum_of(tree.child(9)));
  co_return std::apply([](auto... sum) { return (sum + ...); }, sums);
}

Coroutine<int> solutions_of(Board board) {
  if (board.full()) co_return 1;
  std::array<int, Board::max_size> columns{};
  std::size_t legal = 0;
  for (int column = 0; column < board.size; ++column) {
    if (board.legal(column)) columns[legal++] = column;
  }
  if (legal == 0) co_return 0;
  std::vector<Coroutine<int>> children;
  children.reserve(legal);
  for (std::size_t i = 0; i < legal; ++i) {
    children.push_back(solutions_of(board.with(columns[i])));
  }
  const auto solutions = co_await aio::fork_join(std::move(children));
  co_return std::accumulate(solutions.begin(), solutions.end(), 0);
}

template <class Function, class Argument, class Answer>
double solve(Function function, Argument argument, int threads, Answer right) {
  plait::ThreadPoolExecutor pool(static_cast<std::size_t>(threads));
  pool.submit(fib_of, 15).result();  // all threads are there before the clock starts
  Answer answer{};
  const double elapsed = nanoseconds_of([&] { answer = pool.submit(function, argument).result(); });
  require(answer == right, "plait's fork and join");
  return elapsed;
}

}  // namespace

ForkJoinContender plait_fork_join() {
  return {.name = "plait",
          .fib = [](int n, int threads) { return solve(fib_of, n, threads, fib(n)); },
          .skynet =
              [](int depth, int threads) {
                const Skynet tree = skynet_tree(depth);
                return solve(sum_of, tree, threads, skynet_sum(tree));
              },
          .nqueens =
              [](int n, int threads) {
                return solve(solutions_of, Board{.size = n}, threads, nqueens_answer(n));
              }};
}

}  // namespace bench
