// Where jobs from outside arrive.
#include "executors/inbox.hpp"

#include <algorithm>
#include <array>

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
    job.next_job = top;
  } while (!arrived_.compare_exchange_weak(top, &job));
  return true;
}

void Inbox::collect(FutureState* newest_first) {
  FutureState* const last = newest_first;
  FutureState* first = nullptr;
  std::size_t count = 0;
  while (newest_first && newest_first != closed_marker()) {
    FutureState* const older = newest_first->next_job;
    newest_first->next_job = first;
    first = newest_first;
    newest_first = older;
    ++count;
  }
  if (!first) return;
  (newest_ ? newest_->next_job : oldest_) = first;
  newest_ = last;
  ready_ = ready_.load() + count;
}

FutureState* Inbox::pop_ready() {
  FutureState* const job = oldest_;
  oldest_ = job->next_job;
  if (!oldest_) newest_ = nullptr;
  return job;
}

bool Inbox::refill(WorkStealingDeque& own, std::size_t workers) {
  if (empty()) return false;
  std::array<FutureState*, max_batch> share;
  std::size_t count = 0;
  {
    MutexLock lock(mutex_);
    if (!oldest_ && arrived_.load() != closed_marker()) collect(arrived_.exchange(nullptr));
    if (!oldest_) return false;
    const std::size_t ready = ready_.load();
    const std::size_t fair_share = 1 + (ready - 1) / (2 * std::max<std::size_t>(1, workers));
    for (; count < std::min(max_batch, fair_share); ++count) share[count] = pop_ready();
    ready_ = ready - count;
  }
  own.push_n(count, [next = share.begin()]() mutable { return *next++; });
  return true;
}

FutureState* Inbox::take_one() {
  MutexLock lock(mutex_);
  if (!oldest_ && arrived_.load() != closed_marker()) collect(arrived_.exchange(nullptr));
  if (!oldest_) return nullptr;
  ready_ = ready_.load() - 1;
  return pop_ready();
}

void Inbox::put_back(FutureState& job) {
  MutexLock lock(mutex_);
  job.next_job = oldest_;
  oldest_ = &job;
  if (!newest_) newest_ = &job;
  ready_ = ready_.load() + 1;
}

void Inbox::close() {
  MutexLock lock(mutex_);
  if (arrived_.load() != closed_marker()) collect(arrived_.exchange(closed_marker()));
}

bool Inbox::empty() const noexcept {
  if (ready_.load() > 0) return false;
  const FutureState* const top = arrived_.load();
  return !top || top == closed_marker();
}

std::size_t Inbox::size() {
  MutexLock lock(mutex_);
  // Only who holds mutex_ takes arrivals away, so those that are linked stay.
  std::size_t count = ready_.load();
  for (auto* job = arrived_.load(); job && job != closed_marker(); job = job->next_job) ++count;
  return count;
}

}  // namespace plait::detail
