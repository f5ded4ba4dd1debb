// How SIGINT reaches a loop.
#include "loop/interrupt_guard.hpp"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

namespace plait::detail {
namespace {

// The guard that SIGINT is for; null: none. Main thread only.
constinit InterruptGuard* active_guard = nullptr;

// The loop that SIGINT is for; null: none. [SIGINT-1] The guard's end clears it, then waits until
// no handler runs. [SIGINT-2] A handler counts itself, then reads it. One of the two sees the
// other, so no handler uses a loop that is gone.
constinit std::atomic<LoopCore*> active_loop{nullptr};
constinit std::atomic<int> handlers_running{0};

// What the handler puts into the loop's inbox. There is one, and it is in there at most once: what
// comes while it waits there says nothing new.
class Arrival final : public Runnable {
 public:
  void run() noexcept override {
    queued = false;
    if (active_guard) active_guard->arrived();
  }
  void abandon() noexcept override { queued = false; }
  std::string describe() const override { return "Ctrl-C"; }

  std::atomic<bool> queued{false};  // set by the handler, cleared by the loop
};

Arrival& arrival() {
  static Arrival& arrival = *new Arrival;  // never destroyed: a signal may come at any time
  return arrival;
}

// Runs in: any thread, between any two instructions: it changes atomics and writes, nothing else.
void handle_interrupt(int) {
  const int saved = errno;
  ++handlers_running;  // [SIGINT-2]
  LoopCore* const loop = active_loop.load();
  if (loop && !arrival().queued.exchange(true)) loop->post_from_signal(arrival());
  --handlers_running;
  errno = saved;
}

bool in_main_thread() { return ::syscall(SYS_gettid) == ::getpid(); }

}  // namespace

InterruptGuard::InterruptGuard(TaskBase& task)
    : task_(task), state_(StateRef<FutureState>::share(task.state())) {
  if (!in_main_thread() || active_guard) return;
  if (::sigaction(SIGINT, nullptr, &previous_) != 0 || previous_.sa_handler != SIG_DFL) return;
  arrival();
  active_guard = this;
  active_loop = &task.core();
  struct sigaction action{};
  action.sa_handler = handle_interrupt;
  action.sa_flags = SA_RESTART;
  installed_ = ::sigaction(SIGINT, &action, nullptr) == 0;
}

InterruptGuard::~InterruptGuard() {
  if (!installed_) return;
  ::sigaction(SIGINT, &previous_, nullptr);
  active_guard = nullptr;
  active_loop = nullptr;  // [SIGINT-1]
  while (handlers_running.load() > 0) ::sched_yield();
}

void InterruptGuard::arrived() noexcept {
  if (++count_ == 1) {
    task_.request_cancel({});
  } else {
    task_.core().interrupt_run();
  }
}

}  // namespace plait::detail
