// The fourth example of the README: a job that crashes, and one beside it.
#include <cstdlib>
#include <iostream>
#include <numeric>
#include <plait/futures.hpp>
#include <vector>

int sum(std::vector<int> numbers) { return std::reduce(numbers.begin(), numbers.end()); }
int crash() { std::abort(); }

int main() {
  plait::ProcessPoolExecutor pool;
  auto good = pool.submit(sum, std::vector{1, 2, 3});
  auto bad = pool.submit(crash);
  std::cout << good.result() << '\n';
  try {
    bad.result();
  } catch (const plait::WorkerDied& death) {  // the pool has another worker already
    std::cout << "killed by signal " << death.signal() << '\n';
  }
}
