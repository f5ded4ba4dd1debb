// Random trees of forks on a pool, what they should give, and the threads that set what they await.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <plait/aio.hpp>
#include <plait/futures.hpp>
#include <thread>
#include <utility>
#include <vector>

#include "../support/lifetime_tracked.hpp"
#include "../support/prepared_futures.hpp"
#include "../support/seeded.hpp"

namespace plait::test {

// A thread that sets promises, in any order and after a while.
class Setter {
 public:
  explicit Setter(std::uint64_t seed)
      : thread_([this, own = Engine(seed)]() mutable { run(own); }) {}
  ~Setter() {
    {
      const std::scoped_lock lock(mutex_);
      ends_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  Setter(const Setter&) = delete;
  Setter& operator=(const Setter&) = delete;

  Future<int> later() {
    Promise<int> promise;
    auto future = promise.get_future();
    {
      const std::scoped_lock lock(mutex_);
      promises_.push_back(std::move(promise));
    }
    changed_.notify_all();
    return future;
  }

 private:
  void run(Engine& engine) {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return ends_ || !promises_.empty(); });
      if (promises_.empty()) return;
      std::swap(promises_[pick(engine, promises_.size())], promises_.back());
      auto promise = std::move(promises_.back());
      promises_.pop_back();
      lock.unlock();
      dawdle(engine, 10'000);
      try {
        promise.set_result(1);
      } catch (const InvalidStateError&) {
        // The tree that awaited it was cancelled.
      }
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Promise<int>> promises_;
  bool ends_ = false;
  std::thread thread_;
};

// A node of a tree is a number: all that it does follows from that.
struct Node {
  std::uint64_t number;
  int depth;

  // Of splitmix64; `what` tells the questions apart.
  std::uint64_t hash(std::uint64_t what) const {
    std::uint64_t mixed = number + (what + 1) * 0x9e3779b97f4a7c15;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    return mixed ^ (mixed >> 31);
  }
  bool chance(std::uint64_t what, int one_in) const {
    return hash(what) % static_cast<std::uint64_t>(one_in) == 0;
  }
  Node child(int place) const { return {hash(100 + static_cast<std::uint64_t>(place)), depth - 1}; }
  Node blocked_for() const { return {hash(99), depth - 1}; }
  // -1: a tuple of two, -2: a tuple of three.
  int children() const { return depth == 0 ? 0 : static_cast<int>(hash(0) % 7) - 2; }
  int width() const {
    const int n = children();
    return n == -1 ? 2 : n == -2 ? 3 : n;
  }
  bool awaits_before() const { return chance(1, 4); }
  bool awaits_after() const { return chance(2, 4); }
  bool throws() const { return depth == 0 && chance(3, 60); }
  bool submits() const { return chance(4, 12); }              // a job to the same pool
  bool blocks() const { return depth > 0 && chance(5, 12); }  // for another tree of the same pool
  bool gathers() const { return chance(6, 12); }  // a job and a coroutine, both of the same pool
};

// What a tree gives where nobody disturbs it.
struct Forecast {
  long value = 0;
  bool throws = false;
  bool submits = false;

  void add(const Node& node) {
    ++value;
    throws = throws || node.throws();
    submits = submits || node.submits() || node.blocks() || node.gathers();
    if (node.submits()) ++value;
    if (node.gathers()) value += 2;
    if (node.blocks()) add(node.blocked_for());
    for (int i = 0; i < node.width(); ++i) add(node.child(i));
  }
};

struct Forest {
  Forest(std::uint64_t seed, std::size_t workers) : setter(seed), pool(workers) {}

  LifetimeCounts frames;
  std::atomic<int> entered{0}, left{0};
  Setter setter;
  ThreadPoolExecutor pool;
};

// Counts the bodies that have begun and those that have ended.
class Visit {
 public:
  Visit(Forest& forest, std::atomic<int>& of_tree) : forest_(forest) {
    ++forest_.entered;
    ++of_tree;
  }
  ~Visit() { ++forest_.left; }
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;

 private:
  Forest& forest_;
};

Coroutine<long> grow(Forest& forest, std::atomic<int>& visits, Node node, LifetimeTracked tracked);

inline Coroutine<long> grow_child(Forest& forest, std::atomic<int>& visits, Node node, int place) {
  return grow(forest, visits, node.child(place), LifetimeTracked(forest.frames));
}

inline Coroutine<long> fork_children(Forest& forest, std::atomic<int>& visits, Node node) {
  const auto child = [&](int place) { return grow_child(forest, visits, node, place); };
  if (node.children() == -1) {
    auto [one, two] = co_await aio::fork_join(child(0), child(1));
    co_return one + two;
  }
  if (node.children() == -2) {
    auto [one, two, three] = co_await aio::fork_join(child(0), child(1), child(2));
    co_return one + two + three;
  }
  std::vector<Coroutine<long>> children;
  for (int i = 0; i < node.children(); ++i) children.push_back(child(i));
  long sum = 0;
  for (const long part : co_await aio::fork_join(std::move(children))) sum += part;
  co_return sum;
}

inline Future<long> plant(Forest& forest, std::atomic<int>& visits, Node node) {
  return forest.pool.submit(grow, std::ref(forest), std::ref(visits), node,
                            LifetimeTracked(forest.frames));
}

inline Coroutine<int> one_of(Forest& forest) {
  co_return co_await forest.pool.submit([] { return 1; });
}

inline Coroutine<long> grow(Forest& forest, std::atomic<int>& visits, Node node, LifetimeTracked) {
  const Visit visit(forest, visits);
  long value = 1;
  if (node.awaits_before()) value += co_await forest.setter.later() - 1;
  if (node.throws()) throw TestError("on purpose");
  if (node.submits()) value += co_await forest.pool.submit([] { return 1; });
  if (node.gathers()) {
    auto [job, coroutine] =
        co_await aio::gather(forest.pool.submit([] { return 1; }), one_of(forest));
    value += job + coroutine;
  }
  if (node.blocks()) value += plant(forest, visits, node.blocked_for()).result();
  value += co_await fork_children(forest, visits, node);
  if (node.awaits_after()) value += co_await forest.setter.later() - 1;
  co_return value;
}

}  // namespace plait::test
