// How a loop comes about from generators: one program in four steps, which print the same.
//
// Two jobs, a and b, take two naps of a second each; when both have ended, their results are added.
#include <deque>
#include <iostream>
#include <map>
#include <memory>
#include <plait/aio.hpp>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using plait::Generator;
using plait::yield_from;

void say(long seconds, const std::string& who, const char* what) {
  std::cout << seconds << " s: " << who << ' ' << what << '\n';
}

// ---------------------------------------------------------------- 1: a generator, driven by send()

namespace step_1 {

//! [generator]
// Yields how long it wants to sleep, is sent the time when it wakes up, returns its result.
Generator<int, long, long> job(std::string name) {
  say(0, name, "starts");
  long now = co_yield 1;
  say(now, name, "wakes up");
  now = co_yield 1;
  say(now, name, "wakes up");
  co_return now;
}

void run() {
  auto a = job("a"), b = job("b");
  long now = 0;
  auto wish = a.next();  // runs to the first co_yield
  b.next();
  while (wish) {
    now += *wish;  // instead of sleeping
    wish = a.send(now);
    b.send(now);
  }
  std::cout << "sum: " << a.value() + b.value() << '\n';
}
//! [generator]

}  // namespace step_1

// ---------------------------------------------------------------- 2: generators made of generators

namespace step_2 {

Generator<int, long, long> nap(std::string name) {
  const long now = co_yield 1;
  say(now, name, "wakes up");
  co_return now;
}

// yield_from is what co_await will be: the driver talks to nap(), and job() gets what nap()
// returns.
Generator<int, long, long> job(std::string name) {
  say(0, name, "starts");
  co_yield yield_from(nap(name));
  co_return co_yield yield_from(nap(name));
}

void run() {
  auto a = job("a"), b = job("b");
  long now = 0;
  auto wish = a.next();
  for (b.next(); wish; b.send(now)) wish = a.send(now += *wish);
  std::cout << "sum: " << a.value() + b.value() << '\n';
}

}  // namespace step_2

// ---------------------------------------------------------------- 3: a loop

namespace step_3 {

struct Task;

// Something that will be there later, and who waits for it.
struct Future {
  bool done = false;
  long value = 0;
  std::vector<Task*> waiters;
};

// Yields what it waits for, and is sent nothing: what it waited for has the value.
using Steps = Generator<Future*, std::monostate, long>;

// A generator that the loop drives. Its end is a future, so that others can wait for it.
struct Task : Future {
  explicit Task(Steps coroutine) : steps(std::move(coroutine)) {}
  Steps steps;
};

class Loop {
 public:
  Task& create_task(Steps steps) {
    tasks_.push_back(std::make_unique<Task>(std::move(steps)));
    ready_.push_back(tasks_.back().get());
    return *tasks_.back();
  }
  Future& sleep(int seconds) {
    futures_.push_back(std::make_unique<Future>());
    return *timers_.emplace(now_ + seconds, futures_.back().get())->second;
  }
  long now() const { return now_; }
  void run_until_complete(Task& main) {
    while (!main.done) run_once();
  }

 private:
  // One iteration: wait if there is nothing to do, then one step of each task that is ready.
  void run_once() {
    if (ready_.empty()) now_ = timers_.begin()->first;
    while (!timers_.empty() && timers_.begin()->first <= now_) {
      set_result(*timers_.begin()->second, now_);
      timers_.erase(timers_.begin());
    }
    for (auto left = ready_.size(); left > 0; --left) {
      Task& task = *ready_.front();
      ready_.pop_front();
      step(task);
    }
  }
  void step(Task& task) {
    const auto future = task.steps.next();
    if (!future) return set_result(task, task.steps.value());
    (*future)->waiters.push_back(&task);
  }
  void set_result(Future& future, long value) {
    future.done = true;
    future.value = value;
    for (Task* task : future.waiters) ready_.push_back(task);
  }

  std::deque<Task*> ready_;
  std::multimap<long, Future*> timers_;
  std::vector<std::unique_ptr<Future>> futures_;
  std::vector<std::unique_ptr<Task>> tasks_;
  long now_ = 0;
};

// What stands for `co_await future`.
Steps wait_for(Future& future) {
  if (!future.done) co_yield &future;
  co_return future.value;
}

Steps job(Loop& loop, std::string name) {
  say(loop.now(), name, "starts");
  for (int nap = 0; nap < 2; ++nap) {
    const long now = co_yield yield_from(wait_for(loop.sleep(1)));
    say(now, name, "wakes up");
  }
  co_return loop.now();
}

Steps add(Loop& loop) {
  Task& a = loop.create_task(job(loop, "a"));
  Task& b = loop.create_task(job(loop, "b"));
  const long first = co_yield yield_from(wait_for(a));
  co_return first + (co_yield yield_from(wait_for(b)));
}

void run() {
  Loop loop;
  Task& main = loop.create_task(add(loop));
  loop.run_until_complete(main);
  std::cout << "sum: " << main.value << '\n';
}

}  // namespace step_3

// ---------------------------------------------------------------- 4: plait

namespace step_4 {

namespace aio = plait::aio;

plait::Coroutine<long> job(std::string name) {
  const auto& loop = aio::get_running_loop();
  const auto now = [&, start = loop.time()] { return (loop.time() - start) / 1s; };
  say(now(), name, "starts");
  for (int nap = 0; nap < 2; ++nap) {
    co_await aio::sleep(1s);
    say(now(), name, "wakes up");
  }
  co_return now();
}

plait::Coroutine<long> add() {
  auto a = aio::create_task(job("a"));
  auto b = aio::create_task(job("b"));
  const long first = co_await a;
  co_return first + co_await b;
}

void run() {
  const long sum = aio::run(add(), {.virtual_time = true});
  std::cout << "sum: " << sum << '\n';
}

}  // namespace step_4

int main() {
  int number = 0;
  for (auto* step : {step_1::run, step_2::run, step_3::run, step_4::run}) {
    std::cout << "step " << ++number << '\n';
    step();
  }
}
