// Tests of ProcessPoolExecutor: what travels, what comes back, and what becomes of a task whose
// worker dies.
#include <doctest/doctest.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <tuple>
#include <variant>
#include <vector>

#include <plait/executors/inline_executor.hpp>
#include <plait/executors/process_pool_executor.hpp>
#include <plait/executors/thread_pool_executor.hpp>

#include "../support/process_probe.hpp"

using namespace plait;
using namespace std::chrono_literals;

namespace {

constexpr auto limit = 20s;

int add(int a, int b) { return a + b; }
int pid() { return ::getpid(); }
// Not as a sanitizer has it, which exits.
void segfault() {
  std::signal(SIGSEGV, SIG_DFL);
  std::raise(SIGSEGV);
}
Coroutine<int> add_later(int a, int b) { co_return add(a, b); }

struct Point {
  double x = 0, y = 0;
  std::string name;
  friend bool operator==(const Point&, const Point&) = default;
};
struct Shape {
  std::vector<Point> corners;
  std::map<std::string, std::optional<int>> labels;
  std::variant<int, std::string> colour;
  friend bool operator==(const Shape&, const Shape&) = default;
};
struct AddTo {
  int first = 0;
  int operator()(int second) const { return first + second; }
};
class Counter {
 public:
  Counter() = default;
  explicit Counter(int count) : count_(count) {}
  int count() const { return count_; }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(count_);
  }

 private:
  int count_ = 0;
};
template <class T>
T same(T value) {
  return value;
}

TEST_SUITE_BEGIN("executors/process_pool_executor");

TEST_CASE("submit: a function, a lambda, remote<&f> and a function object run in another process") {
  ProcessPoolExecutor pool(1);
  CHECK(pool.submit(add, 2, 3).result(limit) == 5);
  CHECK(pool.submit(&add, 2, 3).result(limit) == 5);
  CHECK(pool.submit([](int a) { return 2 * a; }, 21).result(limit) == 42);
  CHECK(pool.submit(remote<add>, 4, 5).result(limit) == 9);
  CHECK(pool.submit(remote<&Counter::count>, Counter(7)).result(limit) == 7);
  CHECK(pool.submit(AddTo{10}, 5).result(limit) == 15);
  CHECK(pool.submit(add_later, 2, 3).result(limit) == 5);
  CHECK(pool.submit([](std::stop_token token) { return token.stop_possible(); }).result(limit) ==
        false);
  CHECK(pool.submit(pid).result(limit) != ::getpid());
  CHECK(pool.submit(pid).result(limit) == pool.worker_pids().at(0));
  pool.submit([] {}).result(limit);
}

TEST_CASE("submit: through Executor& remote<&f> runs everywhere, and what cannot travel says so") {
  InlineExecutor inline_executor;
  ThreadPoolExecutor threads(1);
  ProcessPoolExecutor processes(1);
  for (Executor* executor :
       {static_cast<Executor*>(&inline_executor), static_cast<Executor*>(&threads),
        static_cast<Executor*>(&processes)}) {
    CHECK(executor->submit(remote<add>, 2, 3).result(limit) == 5);
    CHECK(executor->submit(remote<add_later>, 2, 3).result(limit) == 5);
    std::vector<int> numbers{1, 2, 3};
    int sum = 0;
    for (const int value : executor->map(remote<add>, numbers, numbers)) sum += value;
    CHECK(sum == 12);
  }
  Executor& executor = processes;
  CHECK_THROWS_AS((void)executor.submit(add, 2, 3).result(limit), SerializationError);
}

TEST_CASE("submit: what cereal knows and aggregates of it travel there and back") {
  ProcessPoolExecutor pool(1);
  const Shape shape{{{1, 2, "a"}, {3, 4, "b"}}, {{"one", 1}, {"none", {}}}, "red"};
  CHECK(pool.submit(same<Shape>, shape).result(limit) == shape);
  CHECK(*pool.submit(same<std::unique_ptr<int>>, std::make_unique<int>(5)).take() == 5);
  CHECK(pool.submit(same<Counter>, Counter(9)).result(limit).count() == 9);
  const std::tuple<char, std::u16string, bool> mixed('x', u"\u00e9", true);
  CHECK(pool.submit(same<std::tuple<char, std::u16string, bool>>, mixed).result(limit) == mixed);
  for (const std::size_t size : {0UL, 1UL, 70'000UL, 1UL << 22}) {
    std::vector<int> numbers(size);
    std::iota(numbers.begin(), numbers.end(), 0);
    CHECK(pool.submit(same<std::vector<int>>, numbers).result(limit) == numbers);
    CHECK(pool.submit(same<std::string>, std::string(size, 'x')).result(limit).size() == size);
  }
}

TEST_CASE("result: what a task throws comes back as its own type, and as RemoteInfo") {
  ProcessPoolExecutor pool(1);
  auto failed = pool.submit([](const std::string& text) -> int { throw std::out_of_range(text); },
                            std::string("no such thing"));
  try {
    failed.result(limit);
    FAIL("nothing was thrown");
  } catch (const std::out_of_range& error) {
    CHECK(std::string(error.what()) == "no such thing");
    const auto* const info = dynamic_cast<const RemoteInfo*>(&error);
    REQUIRE(info);
    CHECK(info->type_name() == "std::out_of_range");
    CHECK(info->pid() == pool.worker_pids().at(0));
  }
  CHECK_THROWS_AS(pool.submit([] { throw 42; }).result(limit), RemoteError);
}

TEST_CASE("result: a task whose worker dies fails with WorkerDied, and the pool goes on") {
  struct Death {
    void (*way)();
    int signal;
    int exit_status;
  };
  const Death deaths[] = {
      {segfault, SIGSEGV, 0},
      {[] { std::raise(SIGKILL); }, SIGKILL, 0},
      {[] { ::_exit(0); }, 0, 0},
      {[] { std::exit(99); }, 0, 99},
  };
  ProcessPoolExecutor pool(2);
  for (const Death& death : deaths) {
    try {
      pool.submit(death.way).result(limit);
      FAIL("it did not die");
    } catch (const WorkerDied& error) {
      CHECK(error.signal() == death.signal);
      CHECK(error.exit_status() == death.exit_status);
    }
    CHECK(pool.submit(add, 2, 3).result(limit) == 5);
  }
}

TEST_CASE("map: chunks of any size give the results in order, and an error is one element's") {
  ProcessPoolExecutor pool(2);
  std::vector<int> numbers(40);
  std::iota(numbers.begin(), numbers.end(), 0);
  for (const std::size_t chunksize : {1UL, 3UL, 6UL, 40UL, 50UL, auto_chunksize}) {
    CAPTURE(chunksize);
    auto results = pool.map(
        {.chunksize = chunksize},
        [](int a, int b) { return a == 7 ? throw std::domain_error("7") : a * b; }, numbers,
        numbers);
    for (int i = 0; i < 40; ++i) {
      if (i == 7) {
        CHECK_THROWS_AS((void)results.next(), std::domain_error);
      } else {
        CHECK(results.next() == i * i);
      }
    }
    CHECK_FALSE(results.next());
  }
}

TEST_CASE("shutdown: every task is done, and every process and descriptor is gone") {
  const auto descriptors = test::descriptor_count();
  {
    ProcessPoolExecutor pool(2);
    std::vector<Future<int>> futures;
    for (int i = 0; i < 100; ++i) futures.push_back(pool.submit(add, i, i));
    pool.shutdown();
    for (int i = 0; i < 100; ++i) CHECK(futures[static_cast<std::size_t>(i)].result() == 2 * i);
    CHECK(pool.worker_pids().empty());
    CHECK_THROWS_AS((void)pool.submit(add, 1, 2), RuntimeError);
  }
  CHECK_FALSE(test::has_children());
  CHECK(test::descriptor_count() == descriptors);
}

TEST_SUITE_END();

}  // namespace
