// The thread that waits for the user's Ctrl-C.
#include "interrupt.hpp"

#include <pthread.h>
#include <unistd.h>

#include <chrono>

namespace checksum_tree {
namespace {

constexpr std::chrono::milliseconds grace{500};

// Sent by the destructor to its own watcher; in the set, so that sigwait returns.
constexpr int wake_up = SIGUSR1;

bool is_ignored(int signal) {
  struct sigaction action{};
  ::sigaction(signal, nullptr, &action);
  return action.sa_handler == SIG_IGN;
}

}  // namespace

Interrupt::Interrupt() {
  ::sigemptyset(&signals_);
  ::sigaddset(&signals_, wake_up);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    if (!is_ignored(signal)) ::sigaddset(&signals_, signal);
  }
  ::pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  watcher_ = std::thread([this] { wait_for_signal(); });
}

Interrupt::~Interrupt() {
  {
    const std::lock_guard lock(mutex_);
    finished_ = true;
  }
  changed_.notify_all();
  ::pthread_kill(watcher_.native_handle(), wake_up);
  watcher_.join();
}

int Interrupt::exit_status() const {
  const std::lock_guard lock(mutex_);
  return 128 + signal_;
}

void Interrupt::wait_for_signal() {
  int signal = 0;
  ::sigwait(&signals_, &signal);
  std::unique_lock lock(mutex_);
  if (finished_) return;
  signal_ = signal;
  lock.unlock();
  stop_.request_stop();
  lock.lock();
  const bool in_time = changed_.wait_for(lock, grace, [this] { return finished_; });
  if (!in_time) ::_exit(128 + signal);
}

}  // namespace checksum_tree
