// What is in the loop's ready queue at every iteration, for a main that awaits two tasks.
#include <iostream>
#include <plait/aio.hpp>

using namespace std::chrono_literals;
namespace aio = plait::aio;

plait::Coroutine<> nap() { co_await aio::sleep(1s); }

plait::Coroutine<> wait_for_both() {
  auto a = aio::create_task(nap(), {.name = "a"});
  auto b = aio::create_task(nap(), {.name = "b"});
  co_await a;
  co_await b;
}

int main() {
  aio::EventLoop loop({.virtual_time = true});  // it jumps to the next timer instead of sleeping
  const auto start = loop.time();
  //! [trace]
  loop.set_trace([&](std::uint64_t iteration, const std::vector<std::string>& ready) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(loop.time() - start);
    std::cout << "iteration " << iteration << ", at " << seconds.count() << " s:";
    for (const char* comma = " "; const auto& name : ready) {
      std::cout << std::exchange(comma, ", ") << name;
    }
    std::cout << '\n';
  });
  //! [trace]
  // 1: main starts and makes two tasks, which stand behind it; it waits for a. 2: both start, and
  // each adds a timer. Nothing is ready then: the loop waits until 3, when both timers are due, and
  // wake their tasks. 4: both end; a's end wakes main. 5: b is done, so main does not wait again.
  loop.run_until_complete(loop.create_task(wait_for_both(), {.name = "main"}));
}
