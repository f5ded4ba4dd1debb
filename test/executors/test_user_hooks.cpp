// User code that throws, or does odd things, at every place where the pool calls it.
#include <doctest/doctest.h>

#include <atomic>
#include <functional>
#include <iterator>
#include <plait/futures.hpp>
#include <ranges>
#include <stdexcept>
#include <string>
#include <vector>

#include "../support/gate.hpp"
#include "../support/lifetime_tracked.hpp"
#include "../support/log_capture.hpp"
#include "../support/prepared_futures.hpp"
#include "../support/process_probe.hpp"

namespace plait::test {
namespace {

// Throws from the n-th copy or move on.
class Faulty {
 public:
  explicit Faulty(int operations_left) : left_(operations_left) {}
  Faulty(const Faulty& other) : left_(other.left_ - 1) { check(); }
  Faulty(Faulty&& other) : left_(other.left_ - 1) { check(); }  // NOLINT(*-noexcept-move*)
  Faulty& operator=(const Faulty&) = default;
  int operator()() const { return 1; }

 private:
  void check() const {
    if (left_ < 0) throw TestError("faulty copy");
  }
  int left_;
};

// An int iterator that throws at a given element.
class FaultyRange {
 public:
  class iterator {
   public:
    using value_type = int;
    using difference_type = std::ptrdiff_t;
    iterator(int at, int fault) : at_(at), fault_(fault) {}
    int operator*() const {
      if (at_ == fault_) throw TestError("faulty input");
      return at_;
    }
    iterator& operator++() {
      ++at_;
      return *this;
    }
    void operator++(int) { ++at_; }
    bool operator==(std::default_sentinel_t) const { return at_ == 10; }

   private:
    int at_, fault_;
  };
  explicit FaultyRange(int fault) : fault_(fault) {}
  iterator begin() const { return {0, fault_}; }
  std::default_sentinel_t end() const { return {}; }

 private:
  int fault_;
};

TEST_SUITE_BEGIN("executors/user_hooks");

TEST_CASE("submit: a callable that cannot be copied throws there and leaves no job") {
  ThreadPoolExecutor pool(1);
  const Faulty callable(0);
  CHECK_THROWS_WITH_AS(pool.submit(callable), "faulty copy", TestError);
  CHECK_THROWS_AS(pool.submit(Faulty(0)), TestError);
  CHECK(pool.queue_size() == 0);
  CHECK(pool.num_threads() == 0);
  CHECK(pool.submit(Faulty(1)).result() == 1);
}

TEST_CASE("submit: an argument that cannot be copied throws there and leaves no job") {
  ThreadPoolExecutor pool(1);
  const auto call = [](const Faulty& argument) { return argument(); };
  CHECK_THROWS_AS(pool.submit(call, Faulty(0)), TestError);
  CHECK_THROWS_AS(pool.submit({.name = "named"}, call, Faulty(0)), TestError);
  CHECK(pool.queue_size() == 0);
  CHECK(pool.submit(call, Faulty(1)).result() == 1);
}

TEST_CASE("result: a result that cannot be moved out of the job is the job's error") {
  ThreadPoolExecutor pool(1);
  const auto future = pool.submit([](const Faulty& argument) { return argument; }, Faulty(1));
  CHECK_THROWS_WITH_AS(future.result(), "faulty copy", TestError);
}

TEST_CASE("result: a value that cannot be copied for the caller throws and stays") {
  ThreadPoolExecutor pool(1);
  const auto future = pool.submit([] { return Faulty(0); });
  const auto other = future;
  CHECK_THROWS_AS(static_cast<void>(Future<Faulty>(future).result()), TestError);
  CHECK(other.result()() == 1);
}

TEST_CASE("submit: the callable's destructor may use the pool, after a run and after a cancel") {
  struct OnDestruction {
    std::function<void()> action;
    ~OnDestruction() { action(); }
  };
  std::atomic<int> runs = 0;
  Gate gate;
  ThreadPoolExecutor pool(1);
  const auto use_pool = [&] { pool.submit([&] { ++runs; }); };
  pool.submit([&] { gate.pass(); });
  auto run = pool.submit([held = std::make_shared<OnDestruction>(use_pool)] {});
  auto cancelled = pool.submit([held = std::make_shared<OnDestruction>(use_pool)] {});
  CHECK(cancelled.cancel());
  gate.open();
  run.result();
  CHECK(eventually([&] { return runs == 2; }));
}

TEST_CASE("submit: a callable may own the last handle to another job, or to its own") {
  Gate gate;
  ThreadPoolExecutor pool(1);
  pool.submit([&] { gate.pass(); });
  auto first = pool.submit([] { return std::string(100, 'x'); });
  auto second = pool.submit([held = std::move(first)] { return held.result().size(); });
  Promise<Future<int>> self;
  auto third = pool.submit([self] { return self.get_future().valid() ? 1 : 0; });
  self.set_result(third);
  gate.open();
  CHECK(second.result() == 100);
  CHECK(third.result() == 1);
}

TEST_CASE("initializer: its error's text stands in the error of every job") {
  const LogCapture log;
  ThreadPoolExecutor pool({.max_workers = 2, .thread_name_prefix = "broken", .initializer = [] {
                             throw std::runtime_error("no such device");
                           }});
  std::string text;
  try {
    pool.submit([] {}).result();
  } catch (const BrokenThreadPool& error) {
    text = error.what();
  }
  CAPTURE(text);
  CHECK(holds(text, "no such device"));
  CHECK(holds(text_of<BrokenThreadPool>([&] { pool.submit([] {}); }), "no such device"));
  CHECK_NOTHROW(pool.shutdown());
}

TEST_CASE("initializer: may throw anything") {
  const LogCapture log;
  for (const int kind : {0, 1}) {
    ThreadPoolExecutor pool({.initializer = [kind] {
      if (kind == 0) throw 42;
      throw CancelledError("not today");
    }});
    CHECK_THROWS_AS(pool.submit([] {}).result(), BrokenThreadPool);
  }
}

TEST_CASE("initializer: that fails in a later worker only still breaks the pool") {
  const LogCapture log;
  std::atomic<int> initialized = 0;
  Gate gate;
  ThreadPoolExecutor pool({.max_workers = 2, .initializer = [&] {
                             if (++initialized == 2) throw std::runtime_error("second");
                           }});
  const auto running = pool.submit([&] { gate.pass(); });
  gate.wait_for_arrivals(1);
  CHECK_THROWS_AS(pool.submit([] {}).result(), BrokenThreadPool);
  gate.open();
  CHECK_NOTHROW(running.result());
  CHECK_THROWS_AS(pool.submit([] {}), BrokenThreadPool);
}

TEST_CASE("initializer: may submit to its own pool") {
  std::atomic<int> runs = 0;
  {
    ThreadPoolExecutor* self = nullptr;
    ThreadPoolExecutor pool(
        {.max_workers = 1, .initializer = [&] { self->submit([&] { ++runs; }); }});
    self = &pool;
    pool.submit([&] { ++runs; }).result();
  }
  CHECK(runs == 2);
}

TEST_CASE("map: an input that throws comes out of map and cancels what was submitted") {
  Gate gate;
  std::atomic<int> runs = 0;
  ThreadPoolExecutor pool(1);
  pool.submit([&] { gate.pass(); });
  gate.wait_for_arrivals(1);
  const auto count = [&](int number) {
    ++runs;
    return number;
  };
  CHECK_THROWS_WITH_AS(pool.map(count, FaultyRange(5)), "faulty input", TestError);
  gate.open();
  pool.shutdown();
  CHECK(runs == 0);
}

TEST_CASE("map: with a buffer, an input that throws comes out of the iteration") {
  ThreadPoolExecutor pool(1);
  auto results = pool.map({.buffersize = 2}, [](int number) { return number; }, FaultyRange(5));
  std::vector<int> values;
  CHECK_THROWS_AS(
      [&] {
        for (const int value : results) values.push_back(value);
      }(),
      TestError);
  CHECK(values.size() >= 3);
  CHECK(pool.submit([] { return 2; }).result() == 2);
}

TEST_CASE("map: elements that cannot be copied or moved fail in map or in their own place") {
  const auto call = [](const Faulty& element) { return element(); };
  for (int operations = 0; operations < 6; ++operations) {
    CAPTURE(operations);
    ThreadPoolExecutor pool(1);
    const std::vector<Faulty> empty;
    std::vector<Faulty> inputs;
    inputs.reserve(2);
    inputs.emplace_back(operations);
    inputs.emplace_back(operations);
    int failures = 0, values = 0;
    try {
      auto results = pool.map(call, inputs);
      for (auto position = results.begin(); position != results.end(); ++position) {
        values += *position;
      }
    } catch (const TestError&) {
      ++failures;
    }
    CHECK(failures + values / 2 == 1);
  }
}

TEST_CASE("submit: a job that throws leaves its worker alive for the next") {
  const LogCapture log;
  ThreadPoolExecutor pool(1);
  for (int i = 0; i < 100; ++i) pool.submit([] { throw TestError("each time"); });
  CHECK(pool.submit([] { return 1; }).result() == 1);
  CHECK(pool.num_threads() == 1);
  pool.shutdown();
  CHECK(log.count("each time") == 100);
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
