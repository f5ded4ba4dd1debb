// Tests of SharedArray: what processes see of it, and what becomes of its memory.
#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <new>
#include <numeric>
#include <optional>
#include <span>
#include <vector>

#include <plait/core/errors.hpp>
#include <plait/executors/process_pool_executor.hpp>

#include "../support/nothing_left.hpp"

using namespace plait;
using namespace std::chrono_literals;

namespace {

constexpr auto limit = 20s;

long sum(const SharedArray<int>& numbers) {
  return std::accumulate(numbers.begin(), numbers.end(), 0L);
}
SharedArray<int> doubled(SharedArray<int> numbers) {
  for (int& number : numbers) number *= 2;
  return numbers;
}
struct Part {
  SharedArray<int> numbers;
  std::size_t begin = 0, end = 0;
};
void fill(Part part) {
  for (std::size_t i = part.begin; i < part.end; ++i) part.numbers[i] = static_cast<int>(i);
}

TEST_SUITE_BEGIN("executors/shared_array");

TEST_CASE_FIXTURE(test::NothingLeft,
                  "shared_array: a task sees the elements, and its writes are seen") {
  ProcessPoolExecutor pool(2);
  auto numbers = pool.shared_array<int>(1'000'000);
  REQUIRE(numbers.size() == 1'000'000);
  std::iota(numbers.begin(), numbers.end(), 0);
  CHECK(pool.submit(sum, numbers).result(limit) == 499'999'500'000);
  const auto same = pool.submit(doubled, numbers).result(limit);
  CHECK(same.data() == numbers.data());
  CHECK(numbers[999'999] == 1'999'998);
}

TEST_CASE_FIXTURE(test::NothingLeft, "shared_array: tasks write parts of one array side by side") {
  ProcessPoolExecutor pool(2);
  const auto numbers = pool.shared_array<int>(100'000);
  std::vector<Future<void>> parts;
  for (std::size_t begin = 0; begin < 100'000; begin += 10'000) {
    parts.push_back(pool.submit(fill, Part{numbers, begin, begin + 10'000}));
  }
  for (const auto& part : parts) part.result(limit);
  CHECK(std::ranges::is_sorted(numbers));
  CHECK(numbers[99'999] == 99'999);
}

TEST_CASE_FIXTURE(test::NothingLeft, "shared_array: memory that was given back is used again") {
  ProcessPoolExecutor pool(1);
  const int* place = nullptr;
  {
    const auto first = pool.shared_array<int>(5000), second = pool.shared_array<int>(5000);
    place = first.data();
    CHECK(first.data() != second.data());
  }
  CHECK(pool.shared_array<int>(10'000).data() == place);
  CHECK(pool.shared_array<int>(0).empty());
  CHECK_THROWS_AS((void)pool.shared_array<int>(static_cast<std::size_t>(-1)), std::bad_alloc);
  CHECK_THROWS_AS((void)pool.shared_array<char>(std::size_t{1} << 50), std::bad_alloc);
}

TEST_CASE_FIXTURE(test::NothingLeft, "shared_array: outlives a worker that dies, and its pool") {
  SharedArray<int> numbers;
  {
    ProcessPoolExecutor pool(1);
    numbers = pool.shared_array<int>(10);
    std::ranges::fill(numbers, 7);
    auto lost = pool.submit([](SharedArray<int>) { std::raise(SIGKILL); }, numbers);
    CHECK_THROWS_AS(lost.result(limit), WorkerDied);
    CHECK(pool.submit(sum, numbers).result(limit) == 70);
  }
  CHECK(numbers[9] == 7);
  numbers = {};
}

TEST_CASE_FIXTURE(test::NothingLeft, "shared_array: another pool's is an error of that task only") {
  ProcessPoolExecutor pool(1), other(1);
  const auto numbers = other.shared_array<int>(10);
  CHECK_THROWS_AS((void)pool.submit(sum, numbers).result(limit), SerializationError);
  CHECK(pool.submit(sum, SharedArray<int>()).result(limit) == 0);
}

TEST_SUITE_END();

}  // namespace
