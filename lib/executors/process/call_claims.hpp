// Which of its calls a worker has begun: known to both processes at the same time.
#pragma once

#include <atomic>
#include <cstdint>

#include "executors/process/private_fd.hpp"

namespace plait::detail {

//   pool                                  worker
//   sends calls, marked with the epoch    claim(epoch): one more has begun; runs it
//   call_back(): the epoch is over        claim(epoch) of an old one: false; passes it over
//
// One word holds the epoch and how many calls have begun, so each call is either begun or called
// back, and the pool knows which.

/// One word of memory that a pool shares with one worker. What a worker writes there wrongly can
/// only harm its own calls.
class CallClaims {
 public:
  /// The pool's end. @throws std::system_error
  CallClaims();
  /// The worker's end of what it got as `fd`, which is closed. Ends the process where it cannot be.
  explicit CallClaims(int fd) noexcept;
  ~CallClaims();
  CallClaims(const CallClaims&) = delete;
  CallClaims& operator=(const CallClaims&) = delete;

  // -- for the pool
  int fd() const noexcept { return fd_.get(); }
  /// The worker has its own copy.
  void close_fd() noexcept { fd_.close(); }
  /// What calls are to be marked with from now on.
  std::uint32_t epoch() const noexcept { return static_cast<std::uint32_t>(word_->load() >> 32); }
  /// How many calls have begun.
  std::uint32_t begun() const noexcept { return static_cast<std::uint32_t>(word_->load()); }
  /// No call that was sent before will begin any more but those that have; how many these are.
  std::uint32_t call_back() noexcept {
    return static_cast<std::uint32_t>(word_->fetch_add(std::uint64_t{1} << 32));
  }

  // -- for the worker
  /// False: it was called back.
  bool claim(std::uint32_t epoch) noexcept;

 private:
  void map() noexcept;

  PrivateFd fd_;
  // Written by the worker that claims and by the pool that calls back, read by the pool; default
  // order.
  std::atomic<std::uint64_t>* word_ = nullptr;
};

}  // namespace plait::detail
