// How a task that another thread has made comes to its loop.
#include <plait/bridge/run_coroutine_threadsafe.hpp>

#include <memory>

#include <plait/core/errors.hpp>

namespace plait::detail {
namespace {

//                post_task()              Arrival::run()
//   made ────────────────────▶ posted ────────────────────▶ ready ──▶ as every task
//     │ the loop is closed       │ the loop is being closed
//     ▼                          ▼ Arrival::abandon()
//   destroyed, post_task()     reported as pending, cancelled
//   throws
//
// made: the thread that made it is the only one that knows it.
// posted: its Arrival is in the loop's inbox. Anybody may have its future, wait for it and cancel()
//   it: that posts, so it comes after the Arrival, and in the loop's thread it leaves a mark in the
//   fiber, which nobody else touches now. The loop lists it neither in all_tasks() nor among those
//   that it destroys when it is closed.
// ready: listed, and behind what came in the same batch, so that a cancel() in there still keeps it
//   from being started.

/// Brings a task into the list of its loop.
class Arrival final : public Runnable {
 public:
  explicit Arrival(TaskBase& task) noexcept : task_(task) {}

  void run() noexcept override {
    const std::unique_ptr<Arrival> self(this);
    task_.core().add_task(task_);
    task_.core().push(task_.state());
  }
  /// Runs in: the thread that closes the loop.
  void abandon() noexcept override {
    const std::unique_ptr<Arrival> self(this);
    task_.core().add_task(task_);
    task_.state().abandon();
  }
  std::string describe() const override { return "arrival of " + task_.name(); }

 private:
  TaskBase& task_;
};

// Gives the loop's reference back, too.
void destroy_unposted(TaskBase& task) noexcept {
  destroy_frame(task.give_frames_up());
  task.state().release();
}

}  // namespace

void post_task(LoopCore& core, TaskBase& task) {
  auto* const arrival = new (std::nothrow) Arrival(task);
  if (!arrival) {
    destroy_unposted(task);
    throw std::bad_alloc();
  }
  if (running_loop == &core) {
    core.push(*arrival);
  } else if (!core.push_from_outside(*arrival)) {
    delete arrival;
    destroy_unposted(task);
    throw RuntimeError("Event loop is closed");
  }
}

}  // namespace plait::detail
