// Futures in each state, ready made, after the model of CPython's own util.py.
#pragma once

#include <algorithm>
#include <plait/futures.hpp>
#include <stdexcept>
#include <vector>

namespace plait::test {

struct TestError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The two cancelled futures differ in that the second one's producer has been told. Nothing shows
// that in plait.
struct PreparedFutures {
  Promise<int> pending_promise, running_promise, cancelled_promise, notified_promise,
      failed_promise, succeeded_promise;
  Future<int> pending = pending_promise.get_future();
  Future<int> running = running_promise.get_future();
  Future<int> cancelled = cancelled_promise.get_future();
  Future<int> notified = notified_promise.get_future();
  Future<int> failed = failed_promise.get_future();
  Future<int> succeeded = succeeded_promise.get_future();

  PreparedFutures() {
    running_promise.set_running_or_notify_cancel();
    cancelled.cancel();
    notified.cancel();
    notified_promise.set_running_or_notify_cancel();
    failed_promise.set_exception(TestError("failed"));
    succeeded_promise.set_result(42);
  }
  // Asks for the error and resolves what is left, so that nothing is reported as lost.
  ~PreparedFutures() {
    pending.cancel();
    if (!running.done()) running_promise.set_result(0);
    static_cast<void>(failed.exception());
  }
  PreparedFutures(const PreparedFutures&) = delete;
  PreparedFutures& operator=(const PreparedFutures&) = delete;
};

// What each state answers.
struct StateRow {
  const char* name;
  Future<int> PreparedFutures::* future;
  bool cancel, cancelled, running, done;
};

inline constexpr StateRow state_rows[] = {
    {"pending", &PreparedFutures::pending, true, false, false, false},
    {"running", &PreparedFutures::running, false, false, true, false},
    {"cancelled", &PreparedFutures::cancelled, true, true, false, true},
    {"cancelled and notified", &PreparedFutures::notified, true, true, false, true},
    {"failed", &PreparedFutures::failed, false, false, false, true},
    {"succeeded", &PreparedFutures::succeeded, false, false, false, true},
};

// Equality of two lists of futures as sets.
template <class T>
bool same_futures(const std::vector<Future<T>>& left, const std::vector<Future<T>>& right) {
  return std::is_permutation(left.begin(), left.end(), right.begin(), right.end());
}

}  // namespace plait::test
