// The timer wheel against a sorted list: the same timers, at the same time, in the same order.
#include <doctest/doctest.h>

#include <plait/loop/detail/timer_wheel.hpp>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../support/seeded.hpp"

namespace plait::test {
namespace {

using namespace std::chrono_literals;
using detail::ReadyQueue;
using detail::TimerWheel;
using Time = Clock::time_point;

struct NumberedTimer final : detail::Timer {
  explicit NumberedTimer(int number) : number(number) {}
  void run() noexcept override {}
  std::string describe() const override { return std::to_string(number); }
  const int number;
};

std::vector<int> numbers(ReadyQueue& ready) {
  std::vector<int> found;
  while (auto* const work = ready.pop()) {
    found.push_back(static_cast<NumberedTimer*>(work)->number);
  }
  return found;
}

std::vector<int> advance(TimerWheel& wheel, Time now) {
  ReadyQueue ready;
  wheel.advance(now, ready);
  return numbers(ready);
}

// What a wheel does, as a multimap does it: equal keys stay in the order of their insertion.
class Model {
 public:
  explicit Model(Time start) : wheel_(start), now_(start) {}

  void add(Time when) {
    timers_.push_back(std::make_unique<NumberedTimer>(static_cast<int>(timers_.size())));
    wheel_.add(*timers_.back(), when);
    expected_.emplace(when, timers_.back().get());
  }
  void remove(std::size_t index) {
    const auto found = std::next(expected_.begin(), static_cast<std::ptrdiff_t>(index));
    CHECK(found->second->armed());
    wheel_.remove(*found->second);
    CHECK_FALSE(found->second->armed());
    expected_.erase(found);
  }
  void advance(Time now) {
    now_ = std::max(now_, now);
    std::vector<int> due;
    while (!expected_.empty() && expected_.begin()->first <= now_) {
      due.push_back(expected_.begin()->second->number);
      expected_.erase(expected_.begin());
    }
    REQUIRE(test::advance(wheel_, now_) == due);
  }
  void check() {
    REQUIRE(wheel_.empty() == expected_.empty());
    const auto next = wheel_.next_deadline();
    REQUIRE(next.has_value() == !expected_.empty());
    if (next) REQUIRE(*next == expected_.begin()->first);
  }
  std::size_t size() const { return expected_.size(); }
  Time now() const { return now_; }
  Time next() const { return expected_.begin()->first; }

 private:
  TimerWheel wheel_;
  Time now_;
  std::multimap<Time, NumberedTimer*> expected_;
  std::vector<std::unique_ptr<NumberedTimer>> timers_;
};

// From nanoseconds to days, some in the past, many equal.
Duration random_delay(Engine& engine) {
  const auto digits = pick(engine, 49);
  const auto delay = static_cast<std::int64_t>(engine() & ((std::uint64_t{1} << digits) - 1));
  return std::chrono::nanoseconds(pick(engine, 8) == 0 ? -delay : delay);
}

TEST_SUITE_BEGIN("loop/timer_wheel");

TEST_CASE("TimerWheel: does what a multimap does, in 100000 random operations") {
  auto engine = seeded_engine("timer wheel");
  // Just before a moment at which the highest digits change.
  const auto before = std::chrono::nanoseconds(pick(engine, std::size_t{1} << 40));
  Model model(Time(std::chrono::nanoseconds(std::int64_t{1} << 62) - before));
  Time repeated = model.now();
  for (int operation = 0; operation < 100'000; ++operation) {
    switch (pick(engine, 8)) {
      case 0:
      case 1:
      case 2:
        repeated = model.now() + random_delay(engine);
        model.add(repeated);
        break;
      case 3:
        model.add(repeated);
        break;
      case 4:
        if (model.size() > 0) model.remove(pick(engine, std::min<std::size_t>(model.size(), 50)));
        break;
      case 5:
        if (model.size() > 0) model.advance(model.next());
        break;
      case 6:
        if (model.size() > 100)
          model.advance(model.next() + std::chrono::seconds(pick(engine, 99)));
        break;
      default:
        model.advance(model.now() + Duration(pick(engine, 5000)));
    }
    model.check();
  }
}

TEST_CASE("TimerWheel: equal deadlines keep the order of their adding, whatever moves them") {
  TimerWheel wheel{Time()};
  std::vector<std::unique_ptr<NumberedTimer>> timers;
  std::vector<int> expected;
  for (int n = 0; n < 100; ++n) {
    timers.push_back(std::make_unique<NumberedTimer>(n));
    wheel.add(*timers.back(), Time(100s));
    expected.push_back(n);
    // Time goes on between, so that later ones start in lower wheels.
    CHECK(advance(wheel, Time(1s * n)).empty());
  }
  CHECK(advance(wheel, Time(100s - 1ns)).empty());
  CHECK(advance(wheel, Time(100s)) == expected);
  CHECK(wheel.empty());
}

TEST_CASE("TimerWheel: overdue timers are due at once, sorted, before all others") {
  TimerWheel wheel{Time(10s)};
  NumberedTimer a(1), b(2), c(3), d(4), e(5);
  CHECK_FALSE(wheel.has_overdue());
  wheel.add(a, Time(10s));
  wheel.add(b, Time(9s));
  wheel.add(c, Time(8s));
  wheel.add(d, Time(9s));
  wheel.add(e, Time::min());
  CHECK(wheel.has_overdue());
  CHECK(wheel.next_deadline() == Time::min());
  wheel.remove(c);
  CHECK(advance(wheel, Time(10s)) == std::vector{5, 2, 4, 1});
}

TEST_CASE("TimerWheel: the far future comes, too") {
  TimerWheel wheel{Time()};
  NumberedTimer last(1), late(2), soon(3);
  wheel.add(last, Time::max());
  wheel.add(late, Time(24h * 365 * 200));
  wheel.add(soon, Time(1ns));
  CHECK(wheel.next_deadline() == Time(1ns));
  CHECK(advance(wheel, Time(24h * 365 * 100)) == std::vector{3});
  CHECK(wheel.next_deadline() == Time(24h * 365 * 200));
  CHECK(advance(wheel, Time::max() - 1ns) == std::vector{2});
  CHECK(wheel.next_deadline() == Time::max());
  CHECK(advance(wheel, Time::max()) == std::vector{1});
  wheel.add(late, Time::max());
  CHECK(advance(wheel, Time::max()) == std::vector{2});
}

TEST_CASE("TimerWheel: time does not go back, and what is added then is overdue") {
  TimerWheel wheel{Time(5s)};
  NumberedTimer timer(1);
  wheel.add(timer, Time(6s));
  CHECK(advance(wheel, Time(1s)).empty());
  CHECK(advance(wheel, Time(6s)) == std::vector{1});
  wheel.add(timer, Time(5s));
  CHECK(wheel.has_overdue());
  CHECK(advance(wheel, Time(6s)) == std::vector{1});
}

TEST_CASE("TimerWheel: take_any empties it") {
  TimerWheel wheel{Time(5s)};
  NumberedTimer a(1), b(2), c(3);
  wheel.add(a, Time(1s));
  wheel.add(b, Time::max());
  wheel.add(c, Time(5s));
  int taken = 0;
  while (const auto* const timer = wheel.take_any()) {
    CHECK_FALSE(timer->armed());
    ++taken;
  }
  CHECK(taken == 3);
  CHECK(wheel.empty());
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
