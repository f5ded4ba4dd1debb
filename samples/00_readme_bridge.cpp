// The third example of the README: a thread, a loop and a pool in one program.
#include <chrono>
#include <iostream>
#include <plait/plait.hpp>
#include <string>
#include <thread>

namespace aio = plait::aio;
using namespace std::chrono_literals;

std::string read_table(std::string name) {  // stands for any function that blocks
  std::this_thread::sleep_for(10ms);
  return "the " + name + " says ";
}

plait::Coroutine<int> fib(int n) {  // on a pool the two calls may run at the same time
  if (n < 2) co_return n;
  auto [a, b] = co_await aio::fork_join(fib(n - 1), fib(n - 2));
  co_return a + b;
}

plait::Coroutine<std::string> report(plait::ThreadPoolExecutor& pool) {
  auto sum = pool.submit(fib, 20);                           // starts on the pool's threads
  auto text = co_await aio::to_thread(read_table, "table");  // blocks a thread, not the loop
  co_return text + std::to_string(co_await sum);             // goes on in the loop
}

int main() {
  plait::ThreadPoolExecutor pool;
  aio::EventLoop loop;
  std::jthread background([&loop] { loop.run_forever(); });
  auto text = aio::run_coroutine_threadsafe(report(pool), loop);  // from any thread
  std::cout << text.result(10s) << '\n';
  loop.call_soon_threadsafe([&loop] { loop.stop(); });
}
