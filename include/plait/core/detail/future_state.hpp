// The untemplated heart of a Future: what is shared by its handles, its producer and who waits.
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <plait/core/clock.hpp>
#include <plait/core/detail/runnable.hpp>
#include <plait/core/detail/state_ref.hpp>
#include <plait/core/detail/state_word.hpp>

namespace plait::detail {

class FutureState;
class NeedSearch;
template <class State>
class StateRef;

/// When a wait gives up; nullopt: never.
using Deadline = std::optional<Clock::time_point>;

/// Somebody who is told once when a state becomes done.
///
/// It is linked into the state's list and must stay alive until notify() was called or
/// remove_waiter() has returned true.
class Waiter {
 public:
  /// Runs in: the thread that ended the state. The state no longer knows the waiter.
  virtual void notify(FutureState& state) noexcept = 0;
  /// Runs in: the thread that has taken the waiter away by its callback_id.
  virtual void removed() noexcept {}
  /// Whose end this waiter brings nearer, for call graphs; null: nobody's.
  virtual FutureState* waiting_state() const noexcept { return nullptr; }

  Waiter* next_waiter = nullptr;  // guarded by the state's list_locked flag
  std::uint64_t callback_id = 0;  // const after add_waiter(); 0: no done-callback

 protected:
  ~Waiter() = default;
};

/// Whoever runs jobs: a thread pool, later a loop. What a state can ask of it.
///
/// An owner may die as soon as none of its jobs is pending or running. Who comes from a future to
/// its owner therefore either is one of the owner's own threads, or holds owners_mutex() and has
/// seen, under it, that the job is pending or running; an owner's destructor takes that mutex too.
class JobOwner {
 public:
  /// Runs in: one of the owner's own threads, which needs `job`. Claims and runs it if it is
  /// pending, or something that it has forked in this thread. False: nothing was run.
  virtual bool help(FutureState& job) = 0;
  /// Runs in: any thread, owners_mutex() held. Throws where a wait for `job` can never end.
  virtual void check_wait(const FutureState& job) const = 0;
  /// Runs in: any thread, owners_mutex() held. `job` went from pending to cancelled.
  virtual void job_cancelled(FutureState& job) noexcept = 0;
  /// Runs in: any thread, owners_mutex() held. Reaches the thread in which `job` runs. False: it
  /// runs where a request to stop cannot be heard.
  virtual bool interrupt(FutureState& job) noexcept = 0;
  /// Runs in: the thread in which a job has just ended whose stop was requested.
  virtual void interruption_over() noexcept = 0;
  /// How many of the owner's threads can be blocked before none is left to start a job.
  virtual std::size_t worker_limit() const noexcept = 0;

 protected:
  ~JobOwner() = default;
};

/// The state behind a Future. For a submitted job it also is the job: one allocation holds the
/// callable, the state word, the queue link and the result (`executors/detail/work_item.hpp`).
class FutureState : public Runnable {
 public:
  /// A pending state with `references` handles; `owner` is null for a promise's.
  /// `flags` are those that it has for good: of_loop says that a wait for it asks the owner first,
  /// whatever the timeout, and that done-callbacks run in the owner's thread.
  FutureState(JobOwner* owner, std::uint32_t references, std::uint32_t flags = 0)
      : word_(references, flags), owner_(owner) {}
  FutureState(const FutureState&) = delete;
  FutureState& operator=(const FutureState&) = delete;

  // -- handles: any thread that has one
  void retain() noexcept { word_.add_reference(); }
  void release() noexcept {
    if (word_.drop_reference()) destroy();
  }

  // -- queries: any thread
  StateSnapshot snapshot() const noexcept { return word_.load(); }
  bool done() const noexcept { return snapshot().done(); }
  JobOwner* owner() const noexcept { return owner_; }
  /// Null where there is a value. Only once done() was seen.
  const std::exception_ptr& error() const noexcept { return error_; }
  /// As error(), and counts as having asked: the failure is not reported as lost.
  const std::exception_ptr& retrieve_error() noexcept;
  /// Throws the error or the cancellation of a done state, if it has one.
  void throw_unless_value();
  /// How messages call it: its name, or what kind of callable it runs.
  std::string describe() const override;

  // -- the way from pending to done: see state_word.hpp
  /// pending -> running. True: the caller now is the one who runs and ends it.
  bool start() noexcept;
  /// pending -> cancelled, with everything that follows from it. False: too late. For a task: asks
  /// it to end, with `message` as the reason; true unless it is done.
  virtual bool cancel(std::string_view message = {}) noexcept;
  /// cancel(), or asks the running work to stop. False: done already, or nothing there can hear it.
  bool request_stop() noexcept;
  /// pending or running -> settling; returns the phase it came from. InvalidStateError otherwise.
  Phase settle();
  /// Back to `origin`: the value could not be made.
  void unsettle(Phase origin) noexcept;
  /// Keeps `error` for who asks; the return value is the phase that end() then has to be given.
  Phase store_error(std::exception_ptr error) noexcept;
  /// Publishes value or error, wakes and notifies. Consumes one of the references if told so.
  void end(Phase phase, bool drop_reference = false) noexcept;

  // -- waiting: any thread
  /// Blocks until done. A worker of the owner runs the job itself if it is still pending.
  void wait();
  /// As wait(), until `deadline` at the latest; false: not done.
  bool wait_until(Deadline deadline);
  /// False: done already, and the waiter was not linked.
  bool add_waiter(Waiter& waiter) noexcept;
  /// True: it will never be notified.
  bool remove_waiter(Waiter& waiter) noexcept;
  /// Those whose end this one's brings nearer, in the order in which they began to wait.
  std::vector<StateRef<FutureState>> awaited_by();
  /// As remove_waiter() for the one with this id, which is told so.
  bool remove_callback(std::uint64_t id) noexcept;

  // -- what kind of work it is
  /// Runs the callable and keeps its outcome; the phase that end() has to be given.
  virtual Phase invoke() noexcept { return Phase::finished; }
  /// Destroys the callable of a job that was cancelled before it started.
  virtual void discard() noexcept {}
  /// Tells `search` what its end needs, as far as that is known, unless it is done.
  virtual void find_needs(NeedSearch&) {}
  /// Runs in: a search that watches it, before find_needs() reads what may change.
  void set_watched() noexcept { word_.set(watched); }
  /// Runs in: who has changed what find_needs() reads. Workers that wait for its end may help.
  void needs_changed() noexcept {
    if (snapshot().has(watched)) [[unlikely]]
      tell_searches();
  }
  /// Passes a stop request to running work. False: nothing there listens.
  virtual bool stop() noexcept { return false; }

  /// Runs in: the owner, before the job is queued. What it means is the owner's business.
  void mark_counted() noexcept { word_.set(counted); }

  /// The queue that holds a job links jobs only.
  FutureState* next_job() const noexcept { return static_cast<FutureState*>(next_runnable); }
  /// Runs in: a loop, for the state of a task. A pool's worker calls invoke() instead.
  void run() noexcept override {}

 protected:
  virtual ~FutureState() = default;

 private:
  void destroy() noexcept;
  void report_lost_error() noexcept;
  bool move_from(Phase from, Phase to) noexcept;
  static void wait_for_list() noexcept;
  void end_slowly(Phase phase, bool drop_reference) noexcept;
  void notify_all(StateSnapshot seen) noexcept;
  bool cancel_pending() noexcept;
  bool mark_stop_requested() noexcept;
  bool lock_list() noexcept;
  void unlock_list() noexcept;
  template <class Match>
  Waiter* unlink_first(Match match) noexcept;
  void tell_searches() noexcept;
  bool wait_in_worker(Deadline deadline);
  bool sleep_until(Deadline deadline);

  StateWord word_;             // see state_word.hpp
  JobOwner* const owner_;      // const after construction; who may follow it: JobOwner
  Waiter* waiters_ = nullptr;  // newest first; guarded by list_locked, immutable once done
  std::exception_ptr error_;   // written by who ends it, before that; immutable once done
};

/// What `throw;` would throw, with Boost.Thread's interruption turned into CancelledError.
std::exception_ptr capture_exception() noexcept;

/// Throws InvalidStateError with advice; for members called on a handle without a state.
[[noreturn]] void throw_no_state(const char* member);

/// Throws TimeoutError with advice.
[[noreturn]] void throw_timeout(const char* what);

// Implementation of what is called once a job.

inline bool FutureState::move_from(Phase from, Phase to) noexcept {
  auto seen = word_.load();
  while (seen.phase() == from) {
    if (seen.has(list_locked)) {
      wait_for_list();
      seen = word_.load();
    } else if (word_.replace(seen, seen.with(to))) {
      return true;
    }
  }
  return false;
}

inline bool FutureState::start() noexcept { return move_from(Phase::pending, Phase::running); }

inline void FutureState::end(Phase phase, bool drop_reference) noexcept {
  auto seen = word_.load();
  while (!seen.has(has_waiters) && !seen.has(stop_requested) && !seen.has(list_locked) &&
         !seen.has(has_sleepers) && drop_reference && seen.references() > 1) {
    if (word_.replace(seen, seen.with(phase).with_one_reference_less())) return;
  }
  end_slowly(phase, drop_reference);
}

}  // namespace plait::detail
