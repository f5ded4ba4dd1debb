// The problems of fork_join without their recursion, which each system writes in its own way: those
// of the public runtime-benchmarks of libfork and TooManyCooks.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "fib.hpp"
#include "harness.hpp"

namespace bench {

/// How many children a node of skynet's tree has.
inline constexpr std::size_t skynet_children = 10;

/// A subtree of skynet: its leaves bear the numbers from `first` on.
struct Skynet {
  std::uint64_t first;
  std::uint64_t leaves;

  bool is_leaf() const { return leaves == 1; }
  Skynet child(std::size_t index) const {
    const std::uint64_t share = leaves / skynet_children;
    return {first + index * share, share};
  }
};

/// The whole tree: `skynet_children` to the power of `depth` leaves.
inline Skynet skynet_tree(int depth) {
  Skynet tree{0, 1};
  for (; depth > 0; --depth) tree.leaves *= skynet_children;
  return tree;
}

/// What the leaves of a tree add up to.
inline std::uint64_t skynet_sum(const Skynet& tree) {
  return tree.leaves * tree.first + tree.leaves * (tree.leaves - 1) / 2;
}

/// Queens of the first rows, one a row. Small, as each child gets a copy.
struct Board {
  static constexpr int max_size = 12;

  int size = 0;
  int rows = 0;  ///< How many rows have their queen.
  std::array<signed char, max_size> columns{};

  bool full() const { return rows == size; }
  bool legal(int column) const {
    for (int row = 0; row < rows; ++row) {
      const int other = columns[static_cast<std::size_t>(row)];
      const int distance = rows - row;
      if (other == column || other == column - distance || other == column + distance) return false;
    }
    return true;
  }
  Board with(int column) const {
    Board next = *this;
    next.columns[static_cast<std::size_t>(next.rows++)] = static_cast<signed char>(column);
    return next;
  }
};

/// In how many ways n queens stand on a board of n times n.
inline int nqueens_answer(int n) {
  constexpr std::array answers{1, 1, 0, 0, 2, 10, 4, 40, 92, 352, 724, 2'680, 14'200};
  return answers.at(static_cast<std::size_t>(n));
}

}  // namespace bench
