// The example of the README: a job, a job that fails, and many at once.
#include <iostream>
#include <plait/futures.hpp>
#include <ranges>

int main() {
  plait::ThreadPoolExecutor pool;
  auto text = pool.submit([] { return std::string("hello"); });
  auto bad = pool.submit([](int n) { return 10 / (n ? n : throw std::domain_error("n is 0")); }, 0);
  for (int square : pool.map([](int x) { return x * x; }, std::views::iota(1, 5)))
    std::cout << square << ' ';
  std::cout << text.result() << ", failed: " << (bad.exception() != nullptr) << '\n';
}
