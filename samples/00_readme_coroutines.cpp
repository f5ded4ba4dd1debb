// The second example of the README: coroutines that wait at the same time, and one that waits too
// long.
#include <chrono>
#include <iostream>
#include <plait/aio.hpp>
#include <string>

namespace aio = plait::aio;
using namespace std::chrono_literals;

plait::Coroutine<std::string> fetch(std::string name, plait::Duration delay) {
  co_await aio::sleep(delay);  // a socket, a queue, a job of a pool: the loop runs others meanwhile
  co_return name + " is here";
}

plait::Coroutine<> hello() {
  auto [slow, quick] = co_await aio::gather(fetch("slow", 200ms), fetch("quick", 100ms));
  std::cout << slow << ", " << quick << '\n';
  try {
    co_await aio::wait_for(fetch("never", 1h), 100ms);
  } catch (const plait::TimeoutError&) {
    std::cout << "timed out\n";
  }
}

int main() { aio::run(hello()); }
