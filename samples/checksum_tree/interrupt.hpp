// Ctrl-C as a std::stop_token.
#pragma once

#include <condition_variable>
#include <csignal>
#include <mutex>
#include <stop_token>
#include <thread>

namespace checksum_tree {

/// Waits for SIGINT, SIGTERM and SIGHUP in a thread of its own.
///
/// The signals are blocked in every thread and fetched by sigwait, so no code ever runs in a signal
/// handler and no system call is broken off. The first signal requests a stop through token(). If
/// the program has not ended half a second later (its output goes into a pipe that nobody reads, a
/// file server does not answer), the thread ends the process: what Output wrote are whole lines at
/// any moment.
class Interrupt {
 public:
  /// Blocks the signals; comes before any thread starts, for threads inherit what is blocked. A
  /// signal that the parent made us ignore (nohup, a shell's background job) stays ignored.
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  /// Stops when a signal came.
  std::stop_token token() const { return stop_.get_token(); }
  /// 128 and the signal's number, as a shell shows it; call it once token() has stopped.
  int exit_status() const;

 private:
  void wait_for_signal();

  sigset_t signals_{};  // const after construction
  std::stop_source stop_{};
  mutable std::mutex mutex_{};
  std::condition_variable changed_{};
  int signal_ = 0;         // guarded by mutex_
  bool finished_ = false;  // guarded by mutex_
  std::thread watcher_{};
};

}  // namespace checksum_tree
