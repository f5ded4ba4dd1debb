// Waits that can never end throw DeadlockError and name the jobs; waits that can end do not.
#include <doctest/doctest.h>

#include <cstddef>
#include <functional>
#include <plait/futures.hpp>
#include <string>
#include <vector>

#include "../support/gate.hpp"
#include "../support/log_capture.hpp"
#include "../support/prepared_futures.hpp"
#include "../support/process_probe.hpp"

namespace plait::test {
namespace {

using Wait = std::function<void(const Future<int>&)>;

const Wait blocking_waits[] = {
    [](const Future<int>& future) { future.result(); },
    [](const Future<int>& future) { future.wait(); },
    [](const Future<int>& future) { static_cast<void>(future.exception()); },
    [](const Future<int>& future) { static_cast<void>(future.take()); },
    [](const Future<int>& future) { wait(std::vector{future}); },
    [](const Future<int>& future) { wait(std::vector{future}, {.return_when = FIRST_COMPLETED}); },
    [](const Future<int>& future) {
      for (const auto& done : as_completed(std::vector{future})) static_cast<void>(done);
    },
};

// A ring of jobs, each on a worker of its own, each waiting for the next; gives the texts of their
// errors.
std::vector<std::string> texts_of_ring(std::size_t length, const Wait& wait_for_it) {
  const std::vector<std::string> names{"alpha", "beta", "gamma", "delta"};
  Gate gate;
  ThreadPoolExecutor pool(length);
  std::vector<Future<int>> ring(length);
  for (std::size_t i = 0; i < length; ++i) {
    ring[i] = pool.submit({.name = names[i]}, [&, i] {
      gate.pass();
      wait_for_it(ring[(i + 1) % length]);
      return 0;
    });
  }
  gate.wait_for_arrivals(static_cast<int>(length));
  gate.open();
  std::vector<std::string> texts;
  for (const auto& job : ring) texts.push_back(text_of<DeadlockError>([&] { job.result(); }));
  return texts;
}

TEST_SUITE_BEGIN("executors/deadlock");

TEST_CASE("result: a job that waits for itself gets DeadlockError with its name") {
  for (const auto& wait_for_it : blocking_waits) {
    Promise<Future<int>> self;
    ThreadPoolExecutor pool(2);
    const auto job = pool.submit({.name = "narcissus"}, [&] {
      const auto own = self.get_future().result();
      CHECK(holds(text_of<DeadlockError>([&] { wait_for_it(own); }), "narcissus"));
      return 5;
    });
    self.set_result(job);
    CHECK(job.result() == 5);
  }
}

TEST_CASE("result: two jobs that wait for each other get one DeadlockError with both names") {
  for (const auto& wait_for_it : blocking_waits) {
    const auto texts = texts_of_ring(2, wait_for_it);
    CAPTURE(texts[0]);
    CAPTURE(texts[1]);
    const auto& text = texts[0].empty() ? texts[1] : texts[0];
    CHECK(holds(text, "alpha"));
    CHECK(holds(text, "beta"));
  }
}

TEST_CASE("result: a ring of three or four jobs is found and named whole") {
  for (const std::size_t length : {3, 4}) {
    for (const auto& wait_for_it : blocking_waits) {
      std::string named;
      for (const auto& text : texts_of_ring(length, wait_for_it)) {
        if (named.empty()) named = text;
      }
      CAPTURE(named);
      for (const auto* name : {"alpha", "beta", "gamma"}) CHECK(holds(named, name));
    }
  }
}

TEST_CASE("result: two jobs in a ring on one worker, where the second runs on top of the first") {
  Promise<Future<int>> first_promise, second_promise;
  ThreadPoolExecutor pool(1);
  const auto first = pool.submit({.name = "lower"},
                                 [&] { return second_promise.get_future().result().result() + 1; });
  const auto second = pool.submit({.name = "upper"}, [&] {
    const auto text = text_of<DeadlockError>([&] { first_promise.get_future().result().result(); });
    CHECK(holds(text, "lower"));
    CHECK(holds(text, "upper"));
    return 1;
  });
  first_promise.set_result(first);
  second_promise.set_result(second);
  CHECK(first.result() == 2);
}

TEST_CASE("result: a ring through two pools is found") {
  Gate gate;
  Future<int> there, back;
  ThreadPoolExecutor first(1), second(1);
  there = first.submit({.name = "north"}, [&] {
    gate.pass();
    return back.result();
  });
  back = second.submit({.name = "south"}, [&] {
    gate.pass();
    return there.result();
  });
  gate.wait_for_arrivals(2);
  gate.open();
  const auto text = text_of<DeadlockError>([&] { there.result(); }) +
                    text_of<DeadlockError>([&] { back.result(); });
  CHECK(holds(text, "north"));
  CHECK(holds(text, "south"));
}

TEST_CASE("result: a job queued behind the only worker that waits for it by way of another pool") {
  Gate gate;
  Future<int> queued, middle;
  ThreadPoolExecutor first(1), second(1);
  const auto outer = first.submit({.name = "outer"}, [&] {
    gate.pass();
    return middle.result();
  });
  queued = first.submit({.name = "queued"}, [] { return 1; });
  middle = second.submit({.name = "middle"}, [&] {
    gate.pass();
    return queued.result();
  });
  gate.wait_for_arrivals(2);
  gate.open();
  const auto text = text_of<DeadlockError>([&] { outer.result(); });
  CHECK(holds(text, "outer"));
  CHECK(holds(text, "middle"));
  CHECK(queued.result() == 1);
}

TEST_CASE("wait: for all of several, one of them in a ring, throws once only the ring is left") {
  Gate ring_gate, other_gate;
  Future<int> first, second;
  ThreadPoolExecutor pool(3);
  const auto unrelated = pool.submit([&] {
    other_gate.pass();
    return 0;
  });
  first = pool.submit({.name = "collector"}, [&] {
    ring_gate.pass();
    wait(std::vector{unrelated, second});
    return 0;
  });
  second = pool.submit({.name = "member"}, [&] {
    ring_gate.pass();
    return first.result();
  });
  ring_gate.wait_for_arrivals(2);
  ring_gate.open();
  other_gate.open();
  const auto text = text_of<DeadlockError>([&] { first.result(); }) +
                    text_of<DeadlockError>([&] { second.result(); });
  CHECK(holds(text, "collector"));
  CHECK(holds(text, "member"));
}

TEST_CASE("wait: for the first of several ends where one of them is in a ring and another is not") {
  Gate ring_gate, other_gate;
  Future<int> first, second;
  ThreadPoolExecutor pool(3);
  const auto free = pool.submit([&] {
    other_gate.pass();
    return 7;
  });
  first = pool.submit([&] {
    ring_gate.pass();
    return wait(std::vector{second, free}, {.return_when = FIRST_COMPLETED}).done[0].result();
  });
  second = pool.submit([&] {
    ring_gate.pass();
    return first.result() + 1;
  });
  ring_gate.wait_for_arrivals(2);
  ring_gate.open();
  CHECK_FALSE(second.wait_for(20ms));
  other_gate.open();
  CHECK(first.result() == 7);
  CHECK(second.result() == 8);
}

TEST_CASE("result: a ring in which one wait has a timeout ends by it") {
  Gate gate;
  Future<int> first, second;
  ThreadPoolExecutor pool(2);
  first = pool.submit([&] {
    gate.pass();
    CHECK_THROWS_AS(second.result(20ms), TimeoutError);
    return 1;
  });
  second = pool.submit([&] {
    gate.pass();
    return first.result() + 1;
  });
  gate.wait_for_arrivals(2);
  gate.open();
  CHECK(second.result() == 2);
}

TEST_CASE("result: two full pools, each waiting for jobs queued in the other, are freed at once") {
  constexpr int workers = 12;
  Gate gate;
  ThreadPoolExecutor first(workers), second(workers);
  std::vector<Future<int>> jobs;
  const auto submit_to = [&](ThreadPoolExecutor& own, ThreadPoolExecutor& other) {
    jobs.push_back(own.submit([&] {
      gate.pass();
      return other.submit([] { return 1; }).result();
    }));
  };
  for (int i = 0; i < workers; ++i) {
    submit_to(first, second);
    submit_to(second, first);
  }
  gate.wait_for_arrivals(2 * workers);
  gate.open();
  int deadlocks = 0;
  for (const auto& job : jobs) {
    deadlocks += !text_of<DeadlockError>([&] { job.result(); }).empty();
  }
  CHECK(deadlocks >= 1);
}

TEST_CASE("wait: a dozen jobs that all wait for all others are freed at once") {
  constexpr std::size_t count = 12;
  Gate gate;
  ThreadPoolExecutor pool(count);
  std::vector<Future<void>> jobs(count);
  for (std::size_t i = 0; i < count; ++i) {
    jobs[i] = pool.submit([&, i] {
      gate.pass();
      auto others = jobs;
      others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
      wait(others);
    });
  }
  gate.wait_for_arrivals(count);
  gate.open();
  int deadlocks = 0;
  for (const auto& job : jobs) {
    deadlocks += !text_of<DeadlockError>([&] { job.result(); }).empty();
  }
  CHECK(deadlocks >= 1);
}

TEST_CASE("result: a job without a name is described all the same") {
  Promise<Future<int>> self;
  ThreadPoolExecutor pool(1);
  const auto job = pool.submit([&] { return self.get_future().result().result(); });
  self.set_result(job);
  const auto text = text_of<DeadlockError>([&] { job.result(); });
  CAPTURE(text);
  CHECK(text.size() > 40);
}

TEST_CASE("result: after a deadlock the pool goes on") {
  Promise<Future<int>> self;
  ThreadPoolExecutor pool(1);
  const auto job = pool.submit([&] { return self.get_future().result().result(); });
  self.set_result(job);
  CHECK_THROWS_AS(job.result(), DeadlockError);
  CHECK(pool.submit([] { return 3; }).result() == 3);
  CHECK(pool.num_threads() == 1);
}

TEST_CASE("result: all workers waiting for a promise of the outside is no deadlock") {
  Promise<int> promise;
  const auto future = promise.get_future();
  ThreadPoolExecutor pool(3);
  std::vector<Future<int>> jobs;
  for (int i = 0; i < 9; ++i) jobs.push_back(pool.submit([&] { return future.result(); }));
  CHECK_FALSE(jobs.front().wait_for(20ms));
  promise.set_result(1);
  for (const auto& job : jobs) CHECK(job.result() == 1);
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
