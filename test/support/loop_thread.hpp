// A loop that runs in a thread of its own as long as the object lives.
#pragma once

#include <plait/aio.hpp>
#include <thread>

namespace plait::test {

class LoopThread {
 public:
  explicit LoopThread(aio::LoopOptions options = aio::LoopOptions()) : loop_(options) {}
  ~LoopThread() { stop(); }
  LoopThread(const LoopThread&) = delete;
  LoopThread& operator=(const LoopThread&) = delete;

  aio::EventLoop& loop() { return loop_; }
  // Ends the run and the thread.
  void stop() {
    if (!thread_.joinable()) return;
    loop_.call_soon_threadsafe([this] { loop_.stop(); });
    thread_.join();
  }
  void start() {
    thread_ = std::thread([this] { loop_.run_forever(); });
  }

 private:
  aio::EventLoop loop_;
  std::thread thread_;
};

// One that runs already.
class RunningLoop : public LoopThread {
 public:
  explicit RunningLoop(aio::LoopOptions options = aio::LoopOptions()) : LoopThread(options) {
    start();
  }
};

}  // namespace plait::test
