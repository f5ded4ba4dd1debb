// Several coroutines at once, and a limit on how long one may take.
#include <iostream>
#include <plait/aio.hpp>
#include <string>

using namespace std::chrono_literals;
namespace aio = plait::aio;

plait::Coroutine<int> count(std::string fruit, plait::Duration time) {
  co_await aio::sleep(time);
  co_return fruit == "apples" ? 3 : 5;
}

plait::Coroutine<> count_all() {
  //! [gather]
  auto [apples, pears] = co_await aio::gather(count("apples", 20ms), count("pears", 10ms));
  std::cout << "apples " << apples << ", pears " << pears << '\n';  // after 20 ms, not 30
  //! [gather]
  //! [timeout]
  try {
    co_await aio::timeout(10ms, [](aio::Timeout&) { return count("plums", 1h); });
  } catch (const plait::TimeoutError&) {
    std::cout << "plums: timed out\n";  // the coroutine was cancelled
  }
  //! [timeout]
}

int main() { aio::run(count_all()); }
