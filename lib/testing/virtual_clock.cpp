// How a loop is run until it has nothing to do.
#include <plait/testing/virtual_clock.hpp>

#include <plait/core/errors.hpp>
#include <plait/loop/detail/loop_core.hpp>
#include <plait/loop/sleep.hpp>

namespace plait::testing {
namespace {

// More than any test needs on purpose.
class Patience {
 public:
  void lose_some() {
    if (--left_ > 0) return;
    throw RuntimeError(
        "settle(): after 100000 iterations something is still ready: a callback or a task that "
        "makes itself ready again and again never lets the loop settle");
  }

 private:
  int left_ = 100'000;
};

}  // namespace

void settle(aio::EventLoop& loop) {
  const detail::LoopCore& core = detail::core_of(loop);
  Patience patience;
  do {
    patience.lose_some();
    loop.stop();  // after one iteration, which does not wait
    loop.run_forever();
  } while (!core.idle());
}

Coroutine<> settle() {
  const detail::LoopCore& core = detail::require_running_core();
  Patience patience;
  do {
    patience.lose_some();
    co_await aio::yield();
  } while (!core.idle());
}

void advance(aio::EventLoop& loop, Duration duration) {
  loop.call_later(duration, [&loop] { loop.stop(); });
  loop.run_forever();
  settle(loop);
}

}  // namespace plait::testing
