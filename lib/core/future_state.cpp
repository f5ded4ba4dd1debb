// The transitions of a future, and who is told of them.
#include <plait/core/detail/future_state.hpp>

#include <sched.h>

#include <algorithm>
#include <climits>

#include <plait/core/cancelled_error.hpp>
#include <plait/core/detail/completion_queue.hpp>
#include <plait/core/detail/need_search.hpp>
#include <plait/core/errors.hpp>
#include <plait/core/log.hpp>

#include "core/adaptive_spin.hpp"
#include "core/describe_exception.hpp"
#include "core/futex.hpp"
#include "core/live_schedulers.hpp"
#include "core/wait_graph.hpp"

namespace plait::detail {

// ---------------------------------------------------------------- outcome

std::string FutureState::describe() const { return "a promise's future"; }

void FutureState::report_lost_error() noexcept {
  Scheduler* const scheduler = live_in_this_thread(owner_);
  if (!scheduler) {
    log_made(LogLevel::error, [this] {
      return describe() +
             " failed and nobody asked for its exception: " + describe_exception(error_);
    });
    return;
  }
  report_made(*scheduler, [this] { return describe() + " exception was never retrieved"; }, error_);
}

void FutureState::destroy() noexcept {
  const auto last = snapshot();
  if (last.phase() == Phase::finished && error_ && !last.has(retrieved)) {
    report_lost_error();
  }
  delete this;
}

const std::exception_ptr& FutureState::retrieve_error() noexcept {
  if (error_ && !snapshot().has(retrieved)) word_.set(retrieved);
  return error_;
}

void FutureState::throw_unless_value() {
  if (retrieve_error()) std::rethrow_exception(error_);
  if (snapshot().phase() == Phase::cancelled) throw CancelledError();
}

Phase FutureState::store_error(std::exception_ptr error) noexcept {
  error_ = std::move(error);
  try {
    std::rethrow_exception(error_);
  } catch (const CancelledError&) {
    return Phase::cancelled;
  } catch (...) {
    return Phase::finished;
  }
}

// ---------------------------------------------------------------- transitions

bool FutureState::cancel(std::string_view) noexcept {
  const Phase phase = snapshot().phase();
  if (phase != Phase::pending) return phase == Phase::cancelled;
  if (!cancel_pending()) return snapshot().phase() == Phase::cancelled;
  discard();
  notify_all(snapshot());
  return true;
}

bool FutureState::cancel_pending() noexcept {
  if (!owner_) return move_from(Phase::pending, Phase::cancelled);
  MutexLock lock(owners_mutex());
  if (!move_from(Phase::pending, Phase::cancelled)) return false;
  owner_->job_cancelled(*this);
  return true;
}

bool FutureState::request_stop() noexcept {
  if (cancel()) return true;
  if (!mark_stop_requested()) return false;
  const bool heard = stop();
  if (!owner_) return heard;
  MutexLock lock(owners_mutex());
  if (snapshot().phase() != Phase::running) return heard;
  return owner_->interrupt(*this) && heard;
}

bool FutureState::mark_stop_requested() noexcept {
  auto seen = word_.load();
  while (seen.phase() == Phase::running) {
    if (word_.replace(seen, seen.with(stop_requested))) return true;
  }
  return false;
}

Phase FutureState::settle() {
  for (const Phase origin : {Phase::pending, Phase::running}) {
    if (move_from(origin, Phase::settling)) return origin;
  }
  switch (snapshot().phase()) {
    case Phase::cancelled:
      throw InvalidStateError(
          "the future was cancelled and takes no result: ask set_running_or_notify_cancel() before "
          "the work starts");
    case Phase::finished:
      throw InvalidStateError("the future already has a result: set it once");
    default:
      throw InvalidStateError("another thread is setting this future's result: set it once");
  }
}

void FutureState::unsettle(Phase origin) noexcept { move_from(Phase::settling, origin); }

void FutureState::end_slowly(Phase phase, bool drop_reference) noexcept {
  auto seen = word_.load();
  for (;;) {
    if (seen.has(list_locked)) {
      wait_for_list();
      seen = word_.load();
    } else if (word_.replace(seen, seen.with(phase))) {
      break;
    }
  }
  if (seen.has(stop_requested) && owner_) owner_->interruption_over();
  notify_all(seen);
  if (drop_reference) release();
}

// ---------------------------------------------------------------- waiters

// Runs in: the thread that made the state done. Nobody links, unlinks or goes to sleep any more.
void FutureState::notify_all(StateSnapshot seen) noexcept {
  if (seen.has(has_sleepers)) futex_wake(word_.futex_address(), INT_MAX);
  if (!seen.has(has_waiters)) return;
  Waiter* oldest_first = nullptr;
  for (Waiter* waiter = std::exchange(waiters_, nullptr); waiter;) {
    Waiter* const older = waiter->next_waiter;
    waiter->next_waiter = std::exchange(oldest_first, waiter);
    waiter = older;
  }
  while (oldest_first) std::exchange(oldest_first, oldest_first->next_waiter)->notify(*this);
}

// The holder of the list runs a few instructions; only if it was preempted does this wait at all.
void FutureState::wait_for_list() noexcept { sched_yield(); }

// False: done, so the list belongs to the thread that ended the state.
bool FutureState::lock_list() noexcept {
  auto seen = word_.load();
  while (!seen.done()) {
    if (seen.has(list_locked)) {
      wait_for_list();
      seen = word_.load();
    } else if (word_.replace(seen, seen.with(list_locked))) {
      return true;
    }
  }
  return false;
}

void FutureState::unlock_list() noexcept {
  auto seen = word_.load();
  for (;;) {
    const auto listed = waiters_ ? seen.with(has_waiters) : seen.without(has_waiters);
    if (word_.replace(seen, listed.without(list_locked))) return;
  }
}

bool FutureState::add_waiter(Waiter& waiter) noexcept {
  if (!lock_list()) return false;
  waiter.next_waiter = std::exchange(waiters_, &waiter);
  if (waiter.callback_id != 0) word_.set(has_callbacks);
  unlock_list();
  return true;
}

template <class Match>
Waiter* FutureState::unlink_first(Match match) noexcept {
  if (!lock_list()) return nullptr;
  Waiter** link = &waiters_;
  while (*link && !match(**link)) link = &(*link)->next_waiter;
  Waiter* const found = *link;
  if (found) *link = found->next_waiter;
  unlock_list();
  return found;
}

bool FutureState::remove_waiter(Waiter& waiter) noexcept {
  return unlink_first([&](Waiter& other) { return &other == &waiter; }) != nullptr;
}

bool FutureState::remove_callback(std::uint64_t id) noexcept {
  Waiter* const callback = unlink_first([&](Waiter& other) { return other.callback_id == id; });
  if (callback) callback->removed();
  return callback != nullptr;
}

// The list stays locked for a few instructions only: room for what it holds is made before.
std::vector<StateRef<FutureState>> FutureState::awaited_by() {
  std::vector<StateRef<FutureState>> found;
  for (std::size_t needed = 1; found.size() < needed;) {
    found.clear();
    found.reserve(needed);
    needed = 0;
    if (!lock_list()) break;
    for (const Waiter* waiter = waiters_; waiter; waiter = waiter->next_waiter) {
      FutureState* const waiting = waiter->waiting_state();
      if (waiting && ++needed <= found.capacity())
        found.push_back(StateRef<FutureState>::share(*waiting));
    }
    unlock_list();
  }
  std::ranges::reverse(found);
  return found;
}

// ---------------------------------------------------------------- blocking

void FutureState::wait() { wait_until({}); }

bool FutureState::wait_until(Deadline deadline) {
  const auto seen = snapshot();
  if (seen.done()) return true;
  FutureState* const self = this;
  if (seen.has(of_loop)) check_wait({&self, 1});
  if (deadline && *deadline <= Clock::now()) return false;
  return working_thread.owner ? wait_in_worker(deadline) : sleep_until(deadline);
}

// A worker can do more than to sleep: run what it waits for, or what that needs.
bool FutureState::wait_in_worker(Deadline deadline) {
  if (owner_ == working_thread.owner && owner_->help(*this) && done()) return true;
  return CompletionQueue({this}, deadline).next().has_value();
}

// False: the deadline has passed.
bool FutureState::sleep_until(Deadline deadline) {
  static thread_local AdaptiveSpin spin;
  if (spin.until([this] { return done(); })) return true;
  FutureState* const self = this;
  check_wait({&self, 1});
  bool in_time = true;
  for (auto seen = word_.load(); in_time && !seen.done(); seen = word_.load()) {
    if (!seen.has(has_sleepers) && !word_.replace(seen, seen.with(has_sleepers))) continue;
    const auto expected = static_cast<std::uint32_t>(seen.with(has_sleepers).bits());
    in_time = futex_wait(word_.futex_address(), expected, deadline);
  }
  spin.woke();
  return in_time;
}

// The mark is taken back first: who watches the state from now on reads its new needs.
void FutureState::tell_searches() noexcept {
  word_.clear(watched);
  NeedSearch::tell(*this);
}

}  // namespace plait::detail
