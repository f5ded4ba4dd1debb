// What a benchmark program sees of an event loop: functions only, none of the loop's own headers.
#pragma once

#include <cstddef>
#include <string>

namespace bench {

/// One system with an event loop. Each function does its thing `count` times and gives the
/// nanoseconds that one took. A null function: the system cannot carry that load.
struct LoopContender {
  std::string name;
  double (*yields)(std::size_t count);            ///< one coroutine lets the others run
  double (*awaits)(std::size_t count);            ///< await of a coroutine that returns at once
  double (*spawns)(std::size_t count);            ///< start tasks that return at once; wait for all
  double (*timers_cancelled)(std::size_t count);  ///< start that many timers, then cancel them all
  double (*timers_expired)(std::size_t count);    ///< start that many timers, all due in 1 ms; run
  double (*posts)(std::size_t count);             ///< callbacks from another thread
  double (*queue_items)(std::size_t count);       ///< through a queue between two tasks
};

/// Ours.
LoopContender plait_loop();
/// Boost.Asio's io_context with awaitable, steady_timer and, for the queue, channel.
LoopContender asio_loop();

/// Tasks that all sleep for a second.
struct SleepLoad {
  std::size_t tasks;
  double (*resident_bytes)();
};
/// What SleepLoad took.
struct SleepCost {
  double bytes_per_task;
  double seconds;  ///< from the first start to the last end, without the second that they sleep
};

/// Ours.
SleepCost plait_sleepers(const SleepLoad& load);
/// Boost.Asio's.
SleepCost asio_sleepers(const SleepLoad& load);

}  // namespace bench
