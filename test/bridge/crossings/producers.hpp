// Where the results of the crossings come from. Each begins, waits until it is told how to end, and
// ends.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <plait/aio.hpp>
#include <plait/futures.hpp>
#include <stop_token>
#include <utility>

#include "../../support/lifetime_tracked.hpp"
#include "../../support/prepared_futures.hpp"
#include "../../support/process_probe.hpp"
#include "../../support/seeded.hpp"
#include "hosts.hpp"

namespace plait::test::crossings {

inline constexpr int right_value = 7;

// One piece of work, as the test sees it; it outlives whoever does it.
struct Work {
  explicit Work(std::uint64_t seed) : engine(seed) {}

  // In the producer.
  void begin() {
    ran = true;
    begun.set_result();
  }
  int end() {
    dawdle(engine);
    if (fails) throw TestError("on purpose");
    return right_value;
  }
  // In the test: lets it end. What it awaits is done already if it was cancelled.
  void finish(bool with_error) {
    fails = with_error;
    gate.open();
    try {
      go.set_result();
    } catch (const InvalidStateError&) {
    }
  }

  Engine engine;  // the producer's
  std::atomic<bool> ran{false}, fails{false};
  Promise<> begun;
  Gate before, gate;  // of those who block: before they begin, and before they end
  Promise<> go;       // of those who await
  LifetimeCounts frames;
};

struct Produced {
  Future<int> future;
  std::unique_ptr<ProbedThread> thread;  // which sets it
};

// What a thread does with a promise.
inline void set_promise(Work& work, Promise<int> promise) {
  work.before.pass();
  if (!promise.set_running_or_notify_cancel()) return;
  work.begin();
  work.gate.pass();
  try {
    promise.set_result(work.end());
  } catch (const TestError& error) {
    promise.set_exception(error);
  }
}

inline Produced set_in_thread(Work& work, Promise<int> promise) {
  auto future = promise.get_future();
  return {std::move(future),
          std::make_unique<ProbedThread>([&work, promise] { set_promise(work, promise); })};
}

inline int run_job(std::stop_token stop, Work& work) {
  const std::stop_callback wake(stop, [&work] { work.gate.open(); });
  work.begin();
  work.gate.pass();
  if (stop.stop_requested()) throw CancelledError("asked to stop");
  return work.end();
}

inline Coroutine<int> run_coroutine(Work& work, LifetimeTracked) {
  work.begin();
  co_await work.go.get_future();
  co_return work.end();
}

enum class Home { none, loop, pool, in_place };

struct Producer {
  const char* name;
  Home home;
  bool awaits;      // a coroutine, which waits for `go`
  bool is_promise;  // refuses cancel() while it runs, and hears nothing
  Produced (*start)(Work&, Host&);

  bool belongs_to_loop() const { return home == Home::loop; }
};

inline Produced submit_coroutine(Work& work, Host& host) {
  return {host.executor()->submit(run_coroutine, std::ref(work), LifetimeTracked(work.frames)), {}};
}

inline constexpr Producer producers[] = {
    {"a thread sets a promise", Home::none, false, true,
     [](Work& work, Host&) { return set_in_thread(work, Promise<int>()); }},
    {"a thread sets a loop's promise", Home::loop, false, true,
     [](Work& work, Host& host) {
       return set_in_thread(work, host.loop()->create_promise<int>());
     }},
    {"a task", Home::loop, true, false,
     [](Work& work, Host& host) {
       auto coroutine = run_coroutine(work, LifetimeTracked(work.frames));
       return Produced{aio::run_coroutine_threadsafe(std::move(coroutine), *host.loop()), {}};
     }},
    {"a job", Home::pool, false, false,
     [](Work& work, Host& host) {
       return Produced{host.executor()->submit(run_job, std::ref(work)), {}};
     }},
    {"a coroutine on a pool", Home::pool, true, false, submit_coroutine},
    {"a coroutine on an InlineExecutor", Home::in_place, true, false, submit_coroutine},
};

}  // namespace plait::test::crossings
