// 20,000 random races over one future: cancel, complete, time out, callbacks, wait, as_completed.
#include <doctest/doctest.h>

#include <atomic>
#include <barrier>
#include <functional>
#include <memory>
#include <optional>
#include <plait/futures.hpp>
#include <vector>

#include "../support/prepared_futures.hpp"
#include "../support/process_probe.hpp"
#include "../support/seeded.hpp"

namespace plait::test {
namespace {

constexpr int rounds = 20'000;
constexpr int racers = 3;
constexpr int right_value = 7;

// One future, and what the racing threads have seen of it.
struct Round {
  std::optional<Promise<int>> promise;  // empty where the future is a job's
  Future<int> future;
  std::atomic<int> set = 0, runs = 0;
  std::atomic<int> cancels = 0, refused_cancels = 0;
  std::atomic<int> added = 0, removed = 0, called = 0;
  std::atomic<int> seen_values = 0, seen_errors = 0, seen_cancels = 0, contradictions = 0;
};

using Action = void (*)(Round&, Engine&);

// Calls that may resolve the promise: all but one must be refused.
template <class Call>
void count_set(Round& round, Call call) {
  if (!round.promise) return;
  try {
    call(*round.promise);
    ++round.set;
  } catch (const InvalidStateError&) {
  }
}

// Notes how the future looks to somebody who asks; a timeout is no observation.
template <class Ask>
void observe(Round& round, Ask ask) {
  try {
    round.seen_values += ask();
  } catch (const TimeoutError&) {
  } catch (const TestError&) {
    ++round.seen_errors;
  } catch (const CancelledError&) {
    ++round.seen_cancels;
  }
}

int read(const Future<int>& future) { return future.result(0s) == right_value ? 1 : 1'000'000; }

void set_value(Round& round, Engine&) {
  count_set(round, [](auto& promise) { promise.set_result(right_value); });
}
void set_error(Round& round, Engine&) {
  count_set(round, [](auto& promise) { promise.set_exception(TestError("race")); });
}
void run_and_set(Round& round, Engine& engine) {
  count_set(round, [&](auto& promise) {
    if (!promise.set_running_or_notify_cancel()) throw InvalidStateError("cancelled");
    dawdle(engine, 200);
    promise.set_result(right_value);
  });
}
void cancel(Round& round, Engine&) {
  ++(round.future.cancel() ? round.cancels : round.refused_cancels);
}
void ask_with_timeout(Round& round, Engine& engine) {
  const std::chrono::microseconds timeout(pick(engine, 60));
  observe(round, [&] { return round.future.result(timeout) == right_value ? 1 : 1'000'000; });
}
void wait_for_it(Round& round, Engine& engine) {
  const Duration timeout = std::chrono::microseconds(pick(engine, 60));
  const Promise<int> other;
  const std::vector futures{other.get_future(), round.future};
  const auto [done, not_done] = wait(futures, {timeout, FIRST_COMPLETED});
  if (!done.empty()) observe(round, [&] { return read(done.front()); });
  other.get_future().cancel();
}
void iterate(Round& round, Engine& engine) {
  Promise<int> other;
  other.set_result(0);
  const Duration timeout = std::chrono::microseconds(pick(engine, 60));
  observe(round, [&] {
    int values = 0;
    for (const auto& done : as_completed(std::vector{round.future, other.get_future()}, timeout)) {
      if (done == round.future) values = read(done);
    }
    return values;
  });
}
void add_callbacks(Round& round, Engine& engine) {
  const auto add = [&] {
    ++round.added;
    return round.future.add_done_callback([&](const Future<int>& done) {
      if (!done.done()) ++round.contradictions;
      ++round.called;
    });
  };
  const auto first = add();
  if (pick(engine, 2) == 0) add();
  dawdle(engine, 300);
  if (pick(engine, 2) == 0 && round.future.remove_done_callback(first)) ++round.removed;
}
void watch(Round& round, Engine&) {
  const bool done = round.future.done();
  const bool cancelled = round.future.cancelled();
  if (cancelled && !round.future.done()) ++round.contradictions;
  if (done && (round.future.running() || !round.future.done())) ++round.contradictions;
}

constexpr Action actions[] = {set_value, set_error,        run_and_set, cancel,        cancel,
                              iterate,   ask_with_timeout, wait_for_it, add_callbacks, watch};

// Exactly one resolution happened, and everybody has seen that one.
bool is_consistent(const Round& round) {
  const bool cancelled = round.future.cancelled();
  const bool failed = !cancelled && round.future.exception() != nullptr;
  const bool succeeded = !cancelled && !failed;
  const int resolved_otherwise = round.promise ? round.set.load() : round.runs.load();
  return round.future.done() && round.contradictions == 0 &&
         resolved_otherwise == (cancelled ? 0 : 1) &&
         (cancelled ? round.refused_cancels == 0 : round.cancels == 0) &&
         round.added == round.called + round.removed &&  //
         (succeeded || round.seen_values == 0) && round.seen_values < 1'000'000 &&
         (failed || round.seen_errors == 0) && (cancelled || round.seen_cancels == 0);
}

// Lets three threads race over a future a round; begin makes it, finish sees to it that it is
// resolved.
template <class Begin, class Finish>
int inconsistent_rounds(Engine engine, Begin begin, Finish finish) {
  std::unique_ptr<Round> round;
  std::barrier start(racers + 1), end(racers + 1);
  const auto race = [&](Engine own) {
    for (int i = 0; i < rounds; ++i) {
      start.arrive_and_wait();
      for (auto steps = 1 + pick(own, 3); steps > 0; --steps) {
        dawdle(own, 300);
        actions[pick(own, std::size(actions))](*round, own);
      }
      end.arrive_and_wait();
    }
  };
  std::vector<std::unique_ptr<ProbedThread>> threads;
  for (int i = 0; i < racers; ++i) {
    threads.push_back(
        std::make_unique<ProbedThread>([&race, own = Engine(engine())] { race(own); }));
  }
  int inconsistent = 0;
  for (int i = 0; i < rounds; ++i) {
    round = std::make_unique<Round>();
    begin(*round, engine);
    start.arrive_and_wait();
    end.arrive_and_wait();
    finish(*round);
    inconsistent += is_consistent(*round) ? 0 : 1;
  }
  return inconsistent;
}

TEST_SUITE_BEGIN("stress/races");

TEST_CASE("Promise: in 20,000 random races each future resolves exactly once") {
  const auto begin = [](Round& round, Engine&) {
    round.promise.emplace();
    round.future = round.promise->get_future();
  };
  const auto finish = [](Round& round) {
    if (round.future.done()) return;
    round.promise->set_result(right_value);
    ++round.set;
  };
  CHECK(inconsistent_rounds(seeded_engine("promise races"), begin, finish) == 0);
}

TEST_CASE("submit: in 20,000 random races each job runs or is cancelled, exactly once") {
  ThreadPoolExecutor pool(2);
  const auto begin = [&](Round& round, Engine& engine) {
    const bool fails = pick(engine, 4) == 0;
    round.future = pool.submit([&round, fails] {
      ++round.runs;
      if (fails) throw TestError("race");
      return right_value;
    });
    dawdle(engine, 2000);
  };
  // Whoever waits may go on before the callbacks have run.
  const auto finish = [](Round& round) {
    round.future.wait();
    eventually([&] { return round.added == round.called + round.removed; });
  };
  CHECK(inconsistent_rounds(seeded_engine("job races"), begin, finish) == 0);
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
