// Who waits for the results of the crossings, and what comes of giving up.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <future>
#include <memory>
#include <plait/aio.hpp>
#include <plait/futures.hpp>
#include <utility>

#include "producers.hpp"

namespace plait::test::crossings {

// A loop or a pool of its own, or the one where the producer is at home.
enum class Place { thread, own_loop, home_loop, own_pool, home_pool, in_place };
enum class How { blocks, blocks_for_std, calls_back, awaits, forks, wraps, wraps_std };

struct Consumer {
  const char* name;
  Place place;
  How how;

  bool is_at_home() const { return place == Place::home_loop || place == Place::home_pool; }
  bool is_on_loop() const { return place == Place::own_loop || place == Place::home_loop; }
  bool is_coroutine() const {
    return how == How::awaits || how == How::forks || how == How::wraps || how == How::wraps_std;
  }
  // A blocking job cannot be woken but by what it waits for.
  bool can_give_up() const { return place == Place::thread || is_coroutine(); }
  // Its cancellation reaches the producer. A std::future can pass nothing on.
  bool passes_on() const { return is_coroutine() && how != How::wraps_std; }
};

inline constexpr Consumer consumers[] = {
    {"a thread blocks", Place::thread, How::blocks},
    {"a thread blocks for a std::future", Place::thread, How::blocks_for_std},
    {"a callback", Place::thread, How::calls_back},
    {"a task awaits", Place::own_loop, How::awaits},
    {"a task forks two who await", Place::own_loop, How::forks},
    {"a task awaits wrap_future", Place::own_loop, How::wraps},
    {"a task awaits wrap_future of a std::future", Place::own_loop, How::wraps_std},
    {"a task of the same loop awaits", Place::home_loop, How::awaits},
    {"a task of the same loop awaits wrap_future", Place::home_loop, How::wraps},
    {"a task of the same loop blocks", Place::home_loop, How::blocks},
    {"a coroutine on a pool awaits", Place::own_pool, How::awaits},
    {"a coroutine on a pool forks two who await", Place::own_pool, How::forks},
    {"a job blocks", Place::own_pool, How::blocks},
    {"a coroutine on the same pool awaits", Place::home_pool, How::awaits},
    {"a coroutine on the same pool forks two who await", Place::home_pool, How::forks},
    {"a job of the same pool blocks", Place::home_pool, How::blocks},
    {"a coroutine on an InlineExecutor awaits", Place::in_place, How::awaits},
};

// One wait. What came of it is a future again; it outlives whoever waits.
struct Wait {
  explicit Wait(std::uint64_t seed) : engine(seed) {}

  void arrive() {
    dawdle(engine);
    arrived.set_result();
  }

  Engine engine;  // the consumer's
  Duration patience = limit;
  Promise<> arrived;
  std::atomic<int> wakings{0};
  Promise<int> by_hand;  // for those who have no future of their own
  Future<int> seen;
  CallbackId callback;
  LifetimeCounts frames;
  std::unique_ptr<ProbedThread> thread;
};

// Gives the outcome of a call to by_hand.
template <class Call>
void note(Wait& wait, Call call) {
  ++wait.wakings;
  try {
    wait.by_hand.set_result(call());
  } catch (...) {
    wait.by_hand.set_exception(std::current_exception());
  }
}

inline int get_with_patience(std::shared_future<int> future, Duration patience) {
  if (future.wait_for(patience) == std::future_status::ready) return future.get();
  throw TimeoutError("no std::future within the time");
}

inline Coroutine<int> await_once(Future<int> future) { co_return co_await future; }
// Arrives where no other cancellation point comes before the await.
inline Coroutine<int> arrive_and_await(Wait& wait, Future<int> future) {
  wait.arrive();
  co_return co_await future;
}

inline Coroutine<int> await_how(Wait& wait, How how, Future<int> future) {
  if (how == How::forks) {
    auto [one, other] = co_await aio::fork_join(arrive_and_await(wait, future), await_once(future));
    co_return one + other - right_value;
  }
  wait.arrive();
  if (how == How::blocks) co_return future.result(limit);
  if (how == How::wraps) future = aio::wrap_future(std::move(future));
  if (how == How::wraps_std) future = aio::wrap_future(aio::to_std_future(std::move(future)));
  co_return co_await future;
}

inline Coroutine<int> consume(Wait& wait, How how, Future<int> future, LifetimeTracked) {
  int value = 0;
  try {
    value = co_await await_how(wait, how, std::move(future));
  } catch (...) {
    ++wait.wakings;
    throw;
  }
  ++wait.wakings;
  co_return value;
}

inline void consume_in_thread(Wait& wait, How how, Future<int> future) {
  wait.seen = wait.by_hand.get_future();
  if (how == How::calls_back) {
    wait.arrive();
    wait.callback = future.add_done_callback([&wait](const Future<int>& done) {
      note(wait, [&] { return done.result(std::chrono::seconds(0)); });
    });
    return;
  }
  wait.thread = std::make_unique<ProbedThread>([&wait, how, future] {
    wait.arrive();
    note(wait, [&] {
      return how == How::blocks ? future.result(wait.patience)
                                : get_with_patience(aio::to_std_future(future), wait.patience);
    });
  });
}

// Begins to wait; `host` is where the consumer runs.
inline void start_consumer(const Consumer& consumer, Wait& wait, Host& host, Future<int> future) {
  const How how = consumer.how;
  if (consumer.place == Place::thread) return consume_in_thread(wait, how, std::move(future));
  if (auto* const loop = host.loop()) {
    auto coroutine = consume(wait, how, std::move(future), LifetimeTracked(wait.frames));
    wait.seen = aio::run_coroutine_threadsafe(std::move(coroutine), *loop);
  } else if (how == How::blocks) {
    wait.seen = host.executor()->submit([&wait, future = std::move(future)] {
      wait.arrive();
      ++wait.wakings;
      return future.result(limit);
    });
  } else {
    wait.seen = host.executor()->submit(consume, std::ref(wait), how, std::move(future),
                                        LifetimeTracked(wait.frames));
  }
}

// A thread has had its patience from the start.
inline void give_up(const Consumer& consumer, Wait& wait, const Future<int>& awaited) {
  if (consumer.how == How::calls_back) {
    CHECK(awaited.remove_done_callback(wait.callback));
  } else if (consumer.is_on_loop()) {
    CHECK(wait.seen.cancel());
  } else if (consumer.place != Place::thread) {
    wait.seen.request_stop();
  }
}

}  // namespace plait::test::crossings
