// What a queue holds: something that is run when it is its turn.
#pragma once

#include <string>

namespace plait::detail {

/// An element of exactly one queue at a time; the queue links it, so that queueing never fails.
class Runnable {
 public:
  /// Runs in: the thread that has taken it out of its queue. May destroy the object.
  virtual void run() noexcept = 0;
  /// Runs in: the owner of the queue, which was closed before its turn came. As run(), but must not
  /// do its work.
  virtual void abandon() noexcept {}
  /// How messages and traces call it.
  virtual std::string describe() const = 0;

  /// The link of the queue that holds it; only that queue touches it.
  Runnable* next_runnable = nullptr;

 protected:
  Runnable() = default;
  ~Runnable() = default;
};

}  // namespace plait::detail
