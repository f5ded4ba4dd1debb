// How SIGINT reaches a loop.
#include "loop/interrupt_guard.hpp"

#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

namespace plait::detail {

// What the handler puts into the loop's inbox, in which it is at most once: what comes while it
// waits there says nothing new. It may be in there when its guard ends, and then ends itself.
class InterruptGuard::Arrival final : public Runnable {
 public:
  explicit Arrival(InterruptGuard& of) noexcept : guard(&of), loop(of.task_.core()) {}

  void run() noexcept override {
    if (!guard) return abandon();
    queued = false;
    guard->arrived();
  }
  void abandon() noexcept override {
    if (guard) {
      queued = false;
    } else {
      delete this;
    }
  }
  std::string describe() const override { return "Ctrl-C"; }

  InterruptGuard* guard;  // null: it has ended; its thread and, afterwards, the loop's
  LoopCore& loop;
  std::atomic<bool> queued{false};  // set by the handler, cleared by the loop
};

namespace {

// The guard that SIGINT is for; null: none. Main thread only.
constinit InterruptGuard* active_guard = nullptr;

// What SIGINT posts; null: nothing. [SIGINT-1] The guard's end clears it, then waits until no
// handler runs. [SIGINT-2] A handler counts itself, then reads it. One of the two sees the other,
// so no handler uses what is gone.
constinit std::atomic<InterruptGuard::Arrival*> active_arrival{nullptr};
constinit std::atomic<int> handlers_running{0};

// Runs in: any thread, between any two instructions: it changes atomics and writes, nothing else.
void handle_interrupt(int) {
  const int saved = errno;
  ++handlers_running;  // [SIGINT-2]
  InterruptGuard::Arrival* const arrival = active_arrival.load();
  if (arrival && !arrival->queued.exchange(true)) arrival->loop.post_from_signal(*arrival);
  --handlers_running;
  errno = saved;
}

bool in_main_thread() { return ::syscall(SYS_gettid) == ::getpid(); }

// The handler that the loop's user has set meanwhile stays.
void restore(const struct sigaction& previous) noexcept {
  struct sigaction present{};
  if (::sigaction(SIGINT, nullptr, &present) != 0 || present.sa_handler != handle_interrupt) return;
  ::sigaction(SIGINT, &previous, nullptr);
}

}  // namespace

InterruptGuard::InterruptGuard(TaskBase& task)
    : task_(task), state_(StateRef<FutureState>::share(task.state())) {
  if (!in_main_thread() || active_guard) return;
  if (::sigaction(SIGINT, nullptr, &previous_) != 0 || previous_.sa_handler != SIG_DFL) return;
  static const int hooked = ::pthread_atfork(nullptr, nullptr, forget_in_child);
  (void)hooked;
  arrival_ = new Arrival(*this);
  active_guard = this;
  active_arrival = arrival_;
  struct sigaction action{};
  action.sa_handler = handle_interrupt;
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGINT, &action, nullptr);
}

InterruptGuard::~InterruptGuard() {
  if (active_guard == this) {
    restore(previous_);
    active_guard = nullptr;
    active_arrival = nullptr;  // [SIGINT-1]
    while (handlers_running.load() > 0) ::sched_yield();
  }
  if (!arrival_) return;
  arrival_->guard = nullptr;
  if (!arrival_->queued) delete arrival_;
}

// The loop that runs in the parent does not run here.
void InterruptGuard::forget_in_child() noexcept {
  if (!active_guard) return;
  restore(active_guard->previous_);
  active_guard = nullptr;
  active_arrival = nullptr;
  handlers_running = 0;
}

bool InterruptGuard::undelivered() const noexcept { return arrival_ && arrival_->queued; }

void InterruptGuard::arrived() noexcept {
  if (++count_ == 1) {
    task_.request_cancel({});
  } else {
    task_.core().interrupt_run();
  }
}

}  // namespace plait::detail
