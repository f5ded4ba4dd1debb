// Where jobs from outside arrive.
#include "executors/inbox.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace plait::detail {
namespace {

// Stands at the bottom of the stack of arrivals once the inbox is closed.
struct ClosedMarker final : FutureState {
  ClosedMarker() : FutureState(nullptr, 1) {}
};

FutureState* closed_marker() {
  static FutureState* const marker = new ClosedMarker;  // never destroyed: pools may outlive main
  return marker;
}

}  // namespace

bool Inbox::push(FutureState& job) noexcept {
  FutureState* top = arrived_.load();
  do {
    if (top == closed_marker()) return false;
    job.next_runnable = top;
  } while (!arrived_.compare_exchange_weak(top, &job));
  return true;
}

// Where the list is empty, makes it from the arrivals. False: there is no job.
bool Inbox::fill_list(FutureState* left_behind) {
  if (oldest_ || arrived_.load() == closed_marker()) return oldest_ != nullptr;
  ready_ = 1;
  std::size_t count = 0;
  FutureState* newest_first = arrived_.exchange(left_behind);
  newest_ = newest_first;
  while (newest_first) {
    FutureState* const older = newest_first->next_job();
    newest_first->next_runnable = std::exchange(oldest_, newest_first);
    newest_first = older;
    ++count;
  }
  ready_ = count;
  return count > 0;
}

FutureState* Inbox::pop_ready() {
  FutureState* const job = oldest_;
  oldest_ = job->next_job();
  if (!oldest_) newest_ = nullptr;
  return job;
}

bool Inbox::refill(JobDeque& own, std::size_t limit) {
  if (empty()) return false;
  own.reserve(limit);
  MutexLock lock(mutex_);
  if (!fill_list(nullptr)) return false;
  const std::size_t ready = ready_.load();
  std::array<FutureState*, max_batch> share;
  const std::size_t count = std::min({limit, max_batch, ready});
  for (std::size_t i = 0; i < count; ++i) share[i] = pop_ready();
  own.push_n(count, [next = share.begin()]() mutable { return *next++; });
  ready_ = ready - count;
  return true;
}

FutureState* Inbox::take_one() {
  MutexLock lock(mutex_);
  if (!fill_list(nullptr)) return nullptr;
  FutureState* const job = pop_ready();
  ready_ = ready_.load() - 1;
  return job;
}

void Inbox::put_back(FutureState& job) {
  MutexLock lock(mutex_);
  job.next_runnable = oldest_;
  oldest_ = &job;
  if (!newest_) newest_ = &job;
  ready_ = ready_.load() + 1;
}

void Inbox::close() {
  MutexLock lock(mutex_);
  if (arrived_.load() == closed_marker()) return;
  // What is in the list is older than what has arrived: it goes before.
  FutureState* const older = std::exchange(oldest_, nullptr);
  FutureState* const last_older = std::exchange(newest_, nullptr);
  const std::size_t count = ready_.load();
  fill_list(closed_marker());
  if (!older) return;
  last_older->next_runnable = oldest_;
  oldest_ = older;
  if (!newest_) newest_ = last_older;
  ready_ = ready_.load() + count;
}

bool Inbox::empty() const noexcept {
  const FutureState* const top = arrived_.load();  // before ready_, as jobs move from here to there
  return (!top || top == closed_marker()) && ready_.load() == 0;
}

std::size_t Inbox::size() {
  MutexLock lock(mutex_);
  // Only who holds mutex_ takes arrivals away, so those that are linked stay.
  std::size_t count = ready_.load();
  for (auto* job = arrived_.load(); job && job != closed_marker(); job = job->next_job()) ++count;
  return count;
}

}  // namespace plait::detail
