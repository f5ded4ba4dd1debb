// One cell of the table of crossings: a producer, a consumer and how it ends.
#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <string>

#include "consumers.hpp"

namespace plait::test::crossings {

// What somebody gets out of a future.
enum class Seen { value, error, cancelled, timeout, refused, nothing, something_else };

// Waits for the end; nobody may wait for what never ends.
inline Seen look(const Future<int>& future) {
  try {
    return future.result(limit) == right_value ? Seen::value : Seen::something_else;
  } catch (const TestError&) {
    return Seen::error;
  } catch (const CancelledError&) {
    return Seen::cancelled;
  } catch (const TimeoutError&) {
    return Seen::timeout;
  } catch (const InvalidStateError&) {
    return Seen::refused;
  } catch (const RuntimeError&) {
    return Seen::refused;
  }
}

class Scene;

// What happens to the producer, as far as its own end depends on it.
enum class Fate {
  value,
  error,
  never_starts,   // cancelled before
  asked_to_stop,  // cancelled while it runs
  left_alone,     // the consumer is cancelled, which may be passed on
  home_closed     // its loop is closed
};

struct Ending {
  const char* name;
  Fate fate;
  // True: happens before the producer has started, which it does not before let_go().
  bool held;
  // True: the consumer waits, or is about to, when it happens; else it comes when it likes.
  bool consumer_first;
  bool closes_consumer;
  bool (*applies)(const Producer&, const Consumer&);
  void (*act)(Scene&);
};

struct Cell {
  const Producer& producer;
  const Consumer& consumer;
  const Ending& ending;

  // What the documentation says cannot be: `attached to a different loop`, and a thread that blocks
  // for what only it can do.
  bool is_refused() const {
    if (!producer.belongs_to_loop()) return false;
    if (consumer.place == Place::home_loop) return consumer.how == How::blocks;
    return consumer.place == Place::own_loop &&
           (consumer.how == How::awaits || consumer.how == How::forks);
  }
  bool exists() const;
  Seen end_of_producer() const;
  Seen end_of_consumer() const;
};

inline bool Cell::exists() const {
  const bool home_fits = (consumer.place != Place::home_loop || producer.home == Home::loop) &&
                         (consumer.place != Place::home_pool || producer.home == Home::pool);
  // Without a thread there is nothing to hold it, and who blocks in a loop needs a pending future.
  const bool can_hold = producer.home != Home::in_place &&
                        (consumer.place != Place::home_loop || consumer.how != How::blocks);
  return home_fits && (can_hold || !ending.held) && ending.applies(producer, consumer);
}

inline Seen Cell::end_of_producer() const {
  switch (ending.fate) {
    case Fate::value:
      return Seen::value;
    case Fate::error:
      return Seen::error;
    case Fate::never_starts:
      return Seen::cancelled;
    case Fate::asked_to_stop:
      return producer.is_promise ? Seen::value : Seen::cancelled;
    case Fate::left_alone:
      return producer.is_promise || !consumer.passes_on() || is_refused() ? Seen::value
                                                                          : Seen::cancelled;
    case Fate::home_closed:
      return producer.is_promise ? Seen::value : Seen::cancelled;
  }
  return Seen::something_else;
}

inline Seen Cell::end_of_consumer() const {
  if (is_refused()) return Seen::refused;
  if (ending.fate == Fate::left_alone && consumer.can_give_up()) {
    if (consumer.is_coroutine()) return Seen::cancelled;
    return consumer.how == How::calls_back ? Seen::nothing : Seen::timeout;
  }
  if (ending.fate == Fate::home_closed) {
    if (consumer.is_at_home()) return Seen::cancelled;
    if (consumer.how == How::calls_back) return Seen::nothing;  // the loop would have called it
  }
  if (ending.closes_consumer && consumer.is_on_loop()) return Seen::cancelled;
  return end_of_producer();
}

class Scene {
 public:
  Scene(const Cell& cell, Engine& engine)
      : cell(cell), engine(engine), work(engine()), wait(engine()) {}
  ~Scene() {
    if (home_) finish();  // a check has failed
    end_hosts();
  }
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;

  // Each of these is a step of an ending, after a moment.
  void start_producer();
  void start_consumer();
  void consumer_arrives();
  void let_go() {
    work.before.open();
    home().let_go();
  }
  void finish(bool with_error = false) {
    dawdle(engine, 20'000);
    let_go();
    work.finish(with_error);
  }
  // Whoever was told to end has the time to.
  void finish_unless_cancelled() {
    if (cell.end_of_producer() == Seen::cancelled) producer_ends();
    finish();
  }
  void producer_ends() { CHECK(produced.future.wait_for(limit)); }
  void consumer_gives_up();
  // Joins every thread of the cell: what they had in hand is destroyed then.
  void end_hosts() {
    closer.reset();
    produced.thread.reset();
    wait.thread.reset();
    place_.reset();
    home_.reset();
  }

  Host& home() { return *home_; }
  Host& place() { return cell.consumer.is_at_home() ? *home_ : *place_; }

  const Cell cell;
  Engine& engine;
  Work work;
  Wait wait;
  std::unique_ptr<ProbedThread> closer;
  Produced produced;

 private:
  std::unique_ptr<Host> home_, place_;
};

inline std::unique_ptr<Host> make_host(bool loop, bool pool, bool in_place) {
  if (loop) return std::make_unique<LoopHost>();
  if (pool) return std::make_unique<PoolHost>(std::size_t{PoolHost::workers});
  if (in_place) return std::make_unique<InlineHost>();
  return std::make_unique<NoHost>();
}

inline void Scene::start_producer() {
  const Home home = cell.producer.home;
  home_ = make_host(home == Home::loop, home == Home::pool, home == Home::in_place);
  const Place place = cell.consumer.place;
  place_ = make_host(place == Place::own_loop, place == Place::own_pool, place == Place::in_place);
  if (cell.ending.held) {
    home_->hold();
  } else {
    work.before.open();
  }
  produced = cell.producer.start(work, *home_);
  if (!cell.ending.held) work.begun.get_future().result(limit);
}

inline void Scene::start_consumer() {
  dawdle(engine, 20'000);
  const bool short_of_time = cell.ending.fate == Fate::left_alone;
  if (short_of_time) wait.patience = std::chrono::milliseconds(1);
  crossings::start_consumer(cell.consumer, wait, place(), produced.future);
}

// One that is held with the producer cannot.
inline void Scene::consumer_arrives() {
  const bool held = cell.ending.held && cell.consumer.is_at_home();
  if (!held) wait.arrived.get_future().result(limit);
  if (cell.is_refused()) CHECK(wait.seen.wait_for(limit));
}

inline void Scene::consumer_gives_up() {
  dawdle(engine, 20'000);
  if (cell.is_refused()) return;
  give_up(cell.consumer, wait, produced.future);
  if (cell.consumer.can_give_up() && cell.consumer.how != How::calls_back) {
    CHECK(wait.seen.wait_for(limit));
  }
}

}  // namespace plait::test::crossings
