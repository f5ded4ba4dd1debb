// One function over many elements in parallel, results in the order of the inputs.
#include <iostream>
#include <plait/futures.hpp>
#include <ranges>

int collatz_steps(unsigned long long n) {
  int steps = 0;
  for (; n != 1; ++steps) n = n % 2 == 0 ? n / 2 : 3 * n + 1;
  return steps;
}

int main() {
  plait::ThreadPoolExecutor pool;
  //! [map]
  const auto numbers = std::views::iota(1ULL, 1'000'000ULL);
  int longest = 0;
  for (const int steps : pool.map({.chunksize = plait::auto_chunksize}, collatz_steps, numbers)) {
    longest = std::max(longest, steps);
  }
  //! [map]
  std::cout << "the longest chain below a million has " << longest << " steps\n";
}
