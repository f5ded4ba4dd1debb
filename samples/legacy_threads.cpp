// A program of Boost threads that gets its first coroutines: they live in one loop, in a background
// thread, and the other threads call them like functions, each with a limit of time.
#include <boost/thread/thread.hpp>
#include <chrono>
#include <iostream>
#include <map>
#include <memory>
#include <plait/aio.hpp>
#include <stdexcept>
#include <string>
#include <utility>

namespace aio = plait::aio;
using namespace std::chrono_literals;

// A loop that runs in a thread of its own until the end of the scope.
class LoopThread {
 public:
  LoopThread() : thread_([this] { loop_.run_forever(); }) {}
  ~LoopThread() {
    start(cancel_the_rest()).wait();
    loop_.call_soon_threadsafe([this] { loop_.stop(); });
    thread_.join();
  }
  LoopThread(const LoopThread&) = delete;
  LoopThread& operator=(const LoopThread&) = delete;

  // From any thread. The future is that of the task: wait for it, cancel it, or drop it.
  template <class T>
  plait::Future<T> start(plait::Coroutine<T> coroutine) {
    return aio::run_coroutine_threadsafe(std::move(coroutine), loop_);
  }

 private:
  // So that no task is left that would use what the program destroys next.
  static plait::Coroutine<> cancel_the_rest() {
    for (const aio::AnyTask& task : aio::all_tasks()) {
      if (task != *aio::current_task()) task.cancel();
    }
    while (aio::all_tasks().size() > 1) co_await aio::yield();
  }

  aio::EventLoop loop_;
  boost::thread thread_;
};

// Only coroutines of the loop touch it, and they take turns. So it needs no mutex.
class Stock {
 public:
  plait::Coroutine<int> put(std::string item, int count) {
    if (count <= 0) throw std::invalid_argument("put at least one");
    co_await aio::sleep(1ms);  // here a database would be asked, and the other coroutines run
    const auto guard = co_await changed_.scoped();
    changed_.notify_all();
    co_return counts_[item] += count;
  }
  plait::Coroutine<int> wait_for(std::string item, int count) {
    const auto guard = co_await changed_.scoped();
    while (counts_[item] < count) co_await changed_.wait();
    co_return counts_[item];
  }

 private:
  aio::Condition changed_;
  std::map<std::string, int> counts_;
};

void produce(LoopThread& loop, Stock& stock) {
  for (int i = 0; i < 25; ++i) loop.start(stock.put("apples", 1)).result(10s);
}

int main() {
  Stock stock;
  LoopThread loop;

  const auto enough = loop.start(stock.wait_for("apples", 100));  // waits in the loop meanwhile
  boost::thread_group producers;
  for (int i = 0; i < 4; ++i) producers.create_thread([&] { produce(loop, stock); });
  producers.join_all();
  std::cout << enough.result(10s) << " apples\n";

  try {  // what a coroutine throws comes out in the thread that asked
    loop.start(stock.put("pears", 0)).result(10s);
  } catch (const std::invalid_argument& error) {
    std::cout << "refused: " << error.what() << '\n';
  }

  const auto pears = loop.start(stock.wait_for("pears", 1));
  try {  // the limit ends the thread's wait only: the coroutine goes on
    pears.result(50ms);
  } catch (const plait::TimeoutError&) {
    pears.cancel();  // a request; the coroutine gets CancelledError where it waits
    pears.wait();    // until it has ended
    std::cout << "no pears in time, cancelled: " << std::boolalpha << pears.cancelled() << '\n';
  }

  loop.start(stock.wait_for("plums", 1));  // nobody asks: it is cancelled when `loop` ends
}
