// All crossings between threads, loops and pools, in one table: where a result comes from, who
// waits for it, and how it ends.
#include <doctest/doctest.h>

#include <memory>
#include <plait/aio.hpp>
#include <plait/futures.hpp>
#include <string>

#include "../support/log_capture.hpp"
#include "../support/process_probe.hpp"
#include "../support/seeded.hpp"
#include "crossings/scene.hpp"

namespace plait::test::crossings {
namespace {

constexpr int rounds = 3;

bool always(const Producer&, const Consumer&) { return true; }
bool on_loop(const Producer& producer, const Consumer&) { return producer.home == Home::loop; }
bool on_pool(const Producer& producer, const Consumer&) { return producer.home == Home::pool; }
bool on_executor(const Producer& producer, const Consumer&) {
  return producer.home == Home::pool || producer.home == Home::in_place;
}
bool consumer_may_go(const Producer&, const Consumer& consumer) {
  return consumer.place != Place::home_loop || consumer.how != How::blocks;
}
bool consumer_on_loop(const Producer&, const Consumer& consumer) {
  return consumer.place == Place::own_loop;
}
bool consumer_hosted(const Producer&, const Consumer& consumer) {
  return consumer.place != Place::thread && !consumer.is_at_home();
}

void cancel_first(Scene& scene) {
  dawdle(scene.engine, 20'000);
  CHECK(scene.produced.future.cancel());
  scene.finish();
}

void cancel_while_it_runs(Scene& scene) {
  const Future<int>& future = scene.produced.future;
  dawdle(scene.engine, 20'000);
  const bool of_task = scene.cell.producer.belongs_to_loop() && !scene.cell.producer.is_promise;
  CHECK(future.running() == !of_task);
  CHECK(future.cancel() == of_task);
  if (!of_task) CHECK(future.request_stop() == !scene.cell.producer.is_promise);
  scene.finish_unless_cancelled();
  const bool passed_on = scene.cell.producer.awaits;  // to what the coroutine awaits
  CHECK(scene.work.go.get_future().cancelled() == passed_on);
}

void cancel_afterwards(Scene& scene) {
  scene.finish();
  scene.producer_ends();
  CHECK_FALSE(scene.produced.future.cancel());
  CHECK_FALSE(scene.produced.future.request_stop());
}

void close_consumer(Scene& scene) {
  scene.place().close({.wait = false, .cancel_futures = pick(scene.engine, 2) == 0});
  const int wakings = scene.wait.wakings;
  scene.finish();
  scene.producer_ends();
  if (scene.cell.consumer.is_on_loop()) {
    CHECK(scene.wait.wakings == wakings);
    CHECK(scene.wait.frames.live == 0);
  }
}

void stop_consumer(Scene& scene) {
  scene.place().stop();
  const int wakings = scene.wait.wakings;
  scene.finish();
  scene.producer_ends();
  CHECK(scene.wait.wakings == wakings);
  scene.place().run_again();
}

void stop_producer(Scene& scene) {
  scene.home().stop();
  scene.work.finish(false);
  if (!scene.cell.producer.is_promise) CHECK_FALSE(scene.produced.future.done());
  scene.home().run_again();
}

void close_producer(Scene& scene) {
  dawdle(scene.engine, 20'000);
  scene.home().close({});
  scene.finish();
}

void shut_down(Scene& scene) {
  dawdle(scene.engine, 20'000);
  scene.home().close({.wait = false, .cancel_futures = pick(scene.engine, 2) == 0});
  scene.finish();
}

void shut_down_and_wait(Scene& scene) {
  scene.closer = std::make_unique<ProbedThread>([&scene] { scene.home().close({}); });
  scene.finish();
}

void shut_down_queued(Scene& scene) {
  scene.home().close({.wait = false});
  scene.finish();
}

void cancel_queued(Scene& scene) {
  scene.home().close({.wait = false, .cancel_futures = true});
  CHECK(scene.produced.future.cancelled());
  scene.finish();
}

constexpr bool held = true, first = true, closes_consumer = true;

constexpr Ending endings[] = {
    {"a value", Fate::value, !held, !first, !closes_consumer, always,
     [](Scene& scene) { scene.finish(); }},
    {"an error", Fate::error, !held, !first, !closes_consumer, always,
     [](Scene& scene) { scene.finish(/*with_error=*/true); }},
    {"cancelled before it starts", Fate::never_starts, held, !first, !closes_consumer, always,
     cancel_first},
    {"cancelled while it runs", Fate::asked_to_stop, !held, !first, !closes_consumer, always,
     cancel_while_it_runs},
    {"cancelled after its end", Fate::value, !held, !first, !closes_consumer, always,
     cancel_afterwards},
    {"the consumer gives up", Fate::left_alone, !held, first, !closes_consumer, consumer_may_go,
     [](Scene& scene) {
       scene.consumer_gives_up();
       scene.finish_unless_cancelled();
     }},
    {"the consumer's host is closed", Fate::value, !held, first, closes_consumer, consumer_hosted,
     close_consumer},
    {"the consumer's loop stops, and runs again", Fate::value, !held, first, !closes_consumer,
     consumer_on_loop, stop_consumer},
    {"the producer's loop stops, and runs again", Fate::value, !held, first, !closes_consumer,
     on_loop, stop_producer},
    {"the producer's loop is closed", Fate::home_closed, !held, first, !closes_consumer, on_loop,
     close_producer},
    {"the producer's executor is shut down", Fate::value, !held, first, !closes_consumer,
     on_executor, shut_down},
    {"a thread waits in shutdown()", Fate::value, !held, first, !closes_consumer, on_executor,
     shut_down_and_wait},
    {"the pool is shut down before it starts", Fate::value, held, first, !closes_consumer, on_pool,
     shut_down_queued},
    {"the pool is shut down, and what is queued cancelled", Fate::never_starts, held, first,
     !closes_consumer, on_pool, cancel_queued},
};

// Whoever waits has seen the end once, or never.
void check_wakings(Scene& scene, Seen seen) {
  if (seen == Seen::nothing) {
    CHECK_FALSE(scene.wait.seen.done());
    CHECK(scene.wait.wakings == 0);
  } else {
    CHECK(scene.wait.wakings <= 1);
  }
}

void play(const Cell& cell, Engine& engine) {
  auto scene = std::make_unique<Scene>(cell, engine);
  scene->start_producer();
  const bool early = cell.ending.consumer_first || cell.is_refused() || pick(engine, 2) == 0;
  if (early) scene->start_consumer();
  if (cell.ending.consumer_first || cell.is_refused()) scene->consumer_arrives();
  cell.ending.act(*scene);
  if (!early) scene->start_consumer();
  CHECK(look(scene->produced.future) == cell.end_of_producer());
  CHECK(scene->work.ran == (cell.ending.fate != Fate::never_starts));
  const Seen seen = cell.end_of_consumer();
  if (seen != Seen::nothing) CHECK(look(scene->wait.seen) == seen);
  scene->end_hosts();
  check_wakings(*scene, seen);
  CHECK(scene->work.frames.live == 0);
  CHECK(scene->wait.frames.live == 0);
}

int play_all(Engine& engine) {
  int cells = 0;
  for (const Producer& producer : producers) {
    for (const Consumer& consumer : consumers) {
      for (const Ending& ending : endings) {
        const Cell cell{producer, consumer, ending};
        if (!cell.exists()) continue;
        INFO(std::string(producer.name), " / ", std::string(consumer.name), " / ",
             std::string(ending.name));
        play(cell, engine);
        ++cells;
      }
    }
  }
  return cells;
}

TEST_SUITE("bridge/crossings") {
  TEST_CASE("crossings: each way of waiting sees each end of each producer, or says why not") {
    Engine engine = seeded_engine("crossings");
    const LogCapture log;  // of tasks that are pending when their loops are closed
    const auto threads = thread_count();
    for (int round = 0; round < rounds; ++round) MESSAGE("cells: " << play_all(engine));
    CHECK(eventually([&] { return thread_count() == threads; }));
  }
}

}  // namespace
}  // namespace plait::test::crossings
