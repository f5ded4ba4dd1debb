// Where the work of a cell runs, or where it is waited for: a loop in a thread of its own, a pool.
#pragma once

#include <memory>
#include <plait/aio.hpp>
#include <plait/futures.hpp>
#include <utility>
#include <vector>

#include "../../support/gate.hpp"
#include "../../support/loop_probe.hpp"
#include "../../support/loop_thread.hpp"

namespace plait::test::crossings {

inline constexpr auto limit = std::chrono::seconds(60);

class Host {
 public:
  Host() = default;
  virtual ~Host() = default;
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  // What it is given from now on does not start, until it is let go.
  virtual void hold() {}
  virtual void let_go() {}
  // It may hold what has begun, too: a loop that is stopped.
  virtual void stop() {}
  virtual void run_again() {}
  // Closed or shut down. The options are a pool's.
  virtual void close(ShutdownOptions options) = 0;

  virtual aio::EventLoop* loop() { return nullptr; }
  virtual Executor* executor() { return nullptr; }
};

// Threads have no host.
class NoHost final : public Host {
 public:
  void close(ShutdownOptions) override {}
};

class LoopHost final : public Host {
 public:
  LoopHost() { wait_for_thread(); }
  void hold() override { stop(); }
  void let_go() override { run_again(); }
  void stop() override {
    if (std::exchange(runs_, false)) thread_.stop();
  }
  void run_again() override {
    if (thread_.loop().is_closed() || std::exchange(runs_, true)) return;
    thread_.start();
    wait_for_thread();
  }
  void close(ShutdownOptions) override {
    stop();
    thread_.loop().close();
  }
  aio::EventLoop* loop() override { return &thread_.loop(); }

 private:
  // Until another thread has begun to run a loop it is that of its maker, who then must not block
  // for its promises.
  void wait_for_thread() {
    aio::run_coroutine_threadsafe(empty_coroutine(), thread_.loop()).result(limit);
  }

  RunningLoop thread_;
  bool runs_ = true;
};

// An executor; a pool has room for what is waited for and for who blocks.
template <class E>
class ExecutorHost final : public Host {
 public:
  template <class... A>
  explicit ExecutorHost(A... args) : executor_(args...) {}
  ~ExecutorHost() override { gate_.open(); }

  void hold() override {
    for (int i = 0; i < workers; ++i) executor_.submit([this] { gate_.pass(); });
    gate_.wait_for_arrivals(workers);
  }
  void let_go() override { gate_.open(); }
  void close(ShutdownOptions options) override { executor_.shutdown(options); }
  Executor* executor() override { return &executor_; }

  static constexpr int workers = 2;

 private:
  Gate gate_;
  E executor_;
};

using PoolHost = ExecutorHost<ThreadPoolExecutor>;
using InlineHost = ExecutorHost<InlineExecutor>;

}  // namespace plait::test::crossings
