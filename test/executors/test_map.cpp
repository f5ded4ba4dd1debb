// map(): chunks, buffers, timeouts, and what an early end leaves behind.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <forward_list>
#include <functional>
#include <iterator>
#include <list>
#include <memory>
#include <optional>
#include <plait/futures.hpp>
#include <ranges>
#include <sstream>
#include <stop_token>
#include <string>
#include <vector>

#include "../support/gate.hpp"
#include "../support/lifetime_tracked.hpp"
#include "../support/log_capture.hpp"
#include "../support/prepared_futures.hpp"
#include "../support/process_probe.hpp"

namespace plait::test {
namespace {

static_assert(std::input_iterator<MapResults<int>::iterator>);
static_assert(std::ranges::input_range<MapResults<void>>);

int identity(int number) { return number; }

TEST_SUITE_BEGIN("executors/map");

TEST_CASE("map: a buffer of n never has more than n elements in flight, and reaches n") {
  for (const std::size_t buffersize : {1, 2, 5}) {
    int taken = 0;  // by the inputs' iterator
    int passed = 0;
    auto counted = std::views::iota(0, 40) | std::views::transform([&](int number) {
                     ++taken;
                     return number;
                   });
    ThreadPoolExecutor pool(3);
    int most = 0;
    auto results = pool.map({.buffersize = buffersize}, identity, counted);
    for (auto position = results.begin(); position != results.end(); ++position) {
      most = std::max(most, taken - passed);
      CHECK(*position == passed);
      ++passed;
    }
    CHECK(passed == 40);
    CHECK(most == static_cast<int>(buffersize));
  }
}

TEST_CASE("map: a buffer counts elements, whatever the chunks") {
  int taken = 0, passed = 0, most = 0;
  auto counted = std::views::iota(0, 40) | std::views::transform([&](int number) {
                   ++taken;
                   return number;
                 });
  ThreadPoolExecutor pool(3);
  auto results = pool.map({.chunksize = 4, .buffersize = 6}, identity, counted);
  for (auto position = results.begin(); position != results.end(); ++position) {
    most = std::max(most, taken - passed);
    CHECK(*position == passed);
    ++passed;
  }
  CHECK(passed == 40);
  CHECK(most <= 6);
}

TEST_CASE("map: with a buffer takes an input without end") {
  ThreadPoolExecutor pool(2);
  auto results = pool.map({.buffersize = 4}, identity, std::views::iota(0));
  std::vector<int> values;
  for (const int value : results) {
    values.push_back(value);
    if (values.size() == 5) break;
  }
  CHECK(values == std::vector{0, 1, 2, 3, 4});
}

TEST_CASE("map: an error in a chunk loses no other element") {
  ThreadPoolExecutor pool(2);
  const auto odd_fails = [](int number) {
    if (number % 2 == 1) throw TestError(std::to_string(number));
    return number;
  };
  for (const std::size_t chunksize : {std::size_t{1}, std::size_t{4}, auto_chunksize}) {
    auto results = pool.map({.chunksize = chunksize}, odd_fails, std::views::iota(0, 11));
    int expected = 0;
    for (auto position = results.begin(); position != results.end(); ++position, ++expected) {
      if (expected % 2 == 1) {
        CHECK_THROWS_WITH_AS(*position, std::to_string(expected).c_str(), TestError);
      } else {
        CHECK(*position == expected);
      }
    }
    CHECK(expected == 11);
  }
}

TEST_CASE("map: an element may be passed without being read, and read twice") {
  const LogCapture log;
  ThreadPoolExecutor pool(1);
  const auto third_fails = [](int number) {
    if (number == 2) throw TestError("never read");
    return number;
  };
  for (const std::size_t chunksize : {1, 3}) {
    auto results = pool.map({.chunksize = chunksize}, third_fails, std::views::iota(0, 5));
    auto position = results.begin();
    std::ranges::advance(position, 3);
    CHECK(*position == 3);
    CHECK(*position == 3);
    CHECK(*++position == 4);
  }
  pool.shutdown();
  CHECK(eventually([&] { return log.count("never read") == 2; }));
}

TEST_CASE("map: next() steps over the results, errors included") {
  ThreadPoolExecutor pool(1);
  const auto middle_fails = [](int number) {
    if (number == 1) throw TestError("middle");
    return std::make_unique<int>(number);
  };
  auto results = pool.map(middle_fails, std::views::iota(0, 3));
  CHECK(**results.next() == 0);
  CHECK_THROWS_AS(results.next(), TestError);
  CHECK(**results.next() == 2);
  CHECK_FALSE(results.next().has_value());
  CHECK_FALSE(results.next().has_value());
}

TEST_CASE("map: dropping the results cancels at once and frees the callable") {
  LifetimeCounts counts;
  Gate gate;
  ThreadPoolExecutor pool(1);
  pool.submit([&] { gate.pass(); });
  gate.wait_for_arrivals(1);
  {
    const auto results = pool.map([held = LifetimeTracked(counts)](int number) { return number; },
                                  std::views::iota(0, 30));
    CHECK(pool.queue_size() == 30);
    CHECK(counts.live >= 1);
  }
  CHECK(pool.queue_size() == 0);
  CHECK(counts.live == 0);
  gate.open();
}

TEST_CASE("map: one deadline for all, counted from the call, whatever was read in time") {
  Gate gate;
  ThreadPoolExecutor pool(1);
  const auto block_at = [&](int number) {
    if (number == 2) gate.pass();
    return number;
  };
  for (const std::size_t chunksize : {1, 2}) {
    auto results =
        pool.map({.timeout = 20ms, .chunksize = chunksize}, block_at, std::views::iota(0, 6));
    std::vector<int> values;
    const auto text = text_of<TimeoutError>([&] {
      for (const int value : results) values.push_back(value);
    });
    CHECK(values == std::vector{0, 1});
    CHECK(text.size() > 20);
    CHECK(results.begin() == results.end());
    gate.let_through(1);
    CHECK(eventually([&] { return pool.queue_size() == 0; }));
  }
}

TEST_CASE("map: a timeout in the past lets done elements through and ends at the first other") {
  Gate gate;
  ThreadPoolExecutor pool(1);
  InlineExecutor in_place;
  auto done = in_place.map({.timeout = -1s}, identity, std::views::iota(0, 3));
  CHECK(std::ranges::distance(done.begin(), done.end()) == 3);
  pool.submit([&] { gate.pass(); });
  auto late = pool.map({.timeout = -1s}, identity, std::views::iota(0, 3));
  CHECK_THROWS_AS(*late.begin(), TimeoutError);
  gate.open();
}

TEST_CASE("map: takes ranges of every kind, by reference and by value") {
  ThreadPoolExecutor pool(2);
  const auto sum_of = [](auto results) {
    int sum = 0;
    for (const int value : results) sum += value;
    return sum;
  };
  std::istringstream words("1 2 3");
  const std::list<int> list{1, 2, 3};
  std::forward_list<int> forward{1, 2, 3};
  int array[] = {1, 2, 3};
  CHECK(sum_of(pool.map(identity, std::views::istream<int>(words))) == 6);
  CHECK(sum_of(pool.map(identity, list)) == 6);
  CHECK(sum_of(pool.map(identity, forward)) == 6);
  CHECK(sum_of(pool.map(identity, array)) == 6);
  CHECK(sum_of(pool.map(identity, std::vector{1, 2, 3})) == 6);
  CHECK(sum_of(pool.map(std::plus<>(), list, forward)) == 12);
}

TEST_CASE("map: an owned input may be given up at once") {
  ThreadPoolExecutor pool(1);
  auto results = [&] {
    return pool.map(
        {.buffersize = 1}, [](const std::string& text) { return text.size(); },
        std::vector<std::string>{std::string(50, 'x'), std::string(60, 'y')});
  }();
  std::vector<std::size_t> sizes;
  for (const auto size : results) sizes.push_back(size);
  CHECK(sizes == std::vector<std::size_t>{50, 60});
}

TEST_CASE("map: hands a stop token to a callable that takes one") {
  ThreadPoolExecutor pool(1);
  const auto with_token = [](std::stop_token token, int number) {
    return token.stop_possible() ? number : -1;
  };
  auto results = pool.map(with_token, std::vector{1, 2});
  CHECK(*results.next() == 1);
  CHECK(*results.next() == 2);
}

TEST_CASE("map: keeps bool elements, in chunks too") {
  ThreadPoolExecutor pool(2);
  for (const std::size_t chunksize : {1, 4}) {
    auto results = pool.map(
        {.chunksize = chunksize}, [](int number) { return number % 2 == 0; },
        std::views::iota(0, 9));
    int expected = 0;
    for (const bool even : results) CHECK(even == (expected++ % 2 == 0));
    CHECK(expected == 9);
  }
}

TEST_CASE("map: auto_chunksize gives every element once, in order, for any length") {
  ThreadPoolExecutor pool(3);
  for (const int length : {0, 1, 2, 7, 100, 10'000}) {
    auto results = pool.map({.chunksize = auto_chunksize}, identity, std::views::iota(0, length));
    int expected = 0;
    for (const int value : results) {
      if (value != expected++) break;
    }
    CHECK(expected == length);
  }
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
