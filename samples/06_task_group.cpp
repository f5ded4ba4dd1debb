// Tasks that do not outlive a scope: if one fails, the others are cancelled, and the error comes
// out.
#include <iostream>
#include <plait/aio.hpp>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;
namespace aio = plait::aio;

plait::Coroutine<> look(std::string name, plait::Duration time, std::string& report) {
  try {
    co_await aio::sleep(time);
  } catch (const plait::CancelledError&) {
    report += name + " was cancelled\n";
    throw;
  }
  if (name == "b") throw std::runtime_error("no such shelf");
}

plait::Coroutine<> look_everywhere() {
  std::string report;
  //! [task_group]
  try {
    co_await aio::task_group([&report](aio::TaskGroup& group) -> plait::Coroutine<> {
      group.create_task(look("a", 1h, report));
      group.create_task(look("b", 10ms, report));
      co_return;  // the group waits for both
    });
  } catch (const plait::ExceptionGroup& errors) {
    for (const auto& error : errors.exceptions()) {
      try {
        std::rethrow_exception(error);
      } catch (const std::exception& problem) {
        std::cout << "b failed: " << problem.what() << '\n';
      }
    }
  }
  //! [task_group]
  std::cout << report;
}

int main() { aio::run(look_everywhere()); }
