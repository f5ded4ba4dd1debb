// Divide and conquer on all processors: in how many ways can n queens stand on a board of n times
// n, so that none attacks another? Usage: parallel_coroutines [N]
#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <iostream>
#include <plait/plait.hpp>
#include <thread>
#include <utility>
#include <vector>

namespace aio = plait::aio;

constexpr int largest = 16;

// Queens in the first rows, one a row. A small value: each attempt gets its own copy.
struct Board {
  int size = 0;
  int queens = 0;
  std::array<signed char, largest> columns{};

  bool is_free(int column) const {
    for (int row = 0; row < queens; ++row) {
      const int distance = queens - row, other = columns[static_cast<std::size_t>(row)];
      if (std::abs(other - column) == distance || other == column) return false;
    }
    return true;
  }
  Board with(int column) const {
    Board next = *this;
    next.columns[static_cast<std::size_t>(next.queens++)] = static_cast<signed char>(column);
    return next;
  }
};

// The plain function, to compare with.
long count(const Board& board) {
  if (board.queens == board.size) return 1;
  long sum = 0;
  for (int column = 0; column < board.size; ++column) {
    if (board.is_free(column)) sum += count(board.with(column));
  }
  return sum;
}

//! [fork_join]
// The same as a coroutine: all attempts for the next row are forked, and the sum is made when they
// have joined. An idle thread of the pool takes the oldest fork of another, so the largest part.
plait::Coroutine<long> count_forked(Board board) {
  if (board.queens == board.size) co_return 1;
  std::vector<plait::Coroutine<long>> attempts;
  for (int column = 0; column < board.size; ++column) {
    if (board.is_free(column)) attempts.push_back(count_forked(board.with(column)));
  }
  long sum = 0;
  for (const long solutions : co_await aio::fork_join(std::move(attempts))) sum += solutions;
  co_return sum;
}
//! [fork_join]

template <class Body>
double milliseconds_of(const Body& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

int main(int argc, char** argv) {
  const Board empty{.size = argc > 1 ? std::clamp(std::atoi(argv[1]), 1, largest) : 12};
  long solutions = 0;
  const double plain = milliseconds_of([&] { solutions = count(empty); });
  std::cout << empty.size << " queens stand in " << solutions << " ways\n"
            << "plain function: " << plain << " ms\n";

  double one_thread = 0;
  const std::size_t processors = std::max(2U, std::thread::hardware_concurrency());
  for (std::size_t threads = 1; threads <= processors; threads *= 2) {
    plait::ThreadPoolExecutor pool(threads);
    long forked = 0;
    const double time =
        milliseconds_of([&] { forked = pool.submit(count_forked, empty).result(); });
    if (threads == 1) one_thread = time;
    std::cout << "forked, " << threads << " threads: " << time << " ms, " << one_thread / time
              << " times as fast as one\n";
    if (forked != solutions) return EXIT_FAILURE;
  }
}
