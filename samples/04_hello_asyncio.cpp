// The first coroutine on a loop: it waits without keeping a thread.
#include <iostream>
#include <plait/aio.hpp>

using namespace std::chrono_literals;
namespace aio = plait::aio;

//! [run]
plait::Coroutine<> hello() {
  std::cout << "Hello ...\n";
  co_await aio::sleep(10ms);
  std::cout << "... World!\n";
}

int main() { aio::run(hello()); }
//! [run]
