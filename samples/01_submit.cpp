// The first program: jobs on a thread pool, and their results.
#include <iostream>
#include <plait/futures.hpp>

int main() {
  //! [submit]
  plait::ThreadPoolExecutor pool;
  plait::Future<int> answer = pool.submit([](int a, int b) { return a * b; }, 6, 7);
  std::cout << answer.result() << '\n';  // blocks until it is there
  //! [submit]
}
