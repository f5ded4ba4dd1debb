// How states that end in other threads come to the loop that watches them.
#include <plait/loop/detail/watch_list.hpp>

#include <stdexcept>

#include <plait/loop/awaitable.hpp>

#include "core/wait_graph.hpp"

namespace plait::detail {

void check_same_loop(const LoopCore& core, const FutureState& state, const char* function) {
  if (state.owner() == &core || !state.snapshot().has(of_loop)) return;
  throw std::invalid_argument(std::string(function) + " got " + state.describe() +
                              " of another loop: give it wrap_future() of that");
}

constinit WatchList::Watch WatchList::busy;

void WatchList::set_state(Watch& watch, StateRef<FutureState> state, const char* function) const {
  if (core_) check_same_loop(*core_, *state, function);
  set_state(watch, std::move(state));
}

// The list counts itself as pending meanwhile, so that all_ended() cannot come too early.
void WatchList::start(std::span<Watch> watches) noexcept {
  pending_ = watches.size() + 1;
  if (!core_) arrived_ = &busy;
  for (Watch& watch : watches) {
    watch.list_ = this;
    if (core_ && outside(watch)) core_->expect_outside(1);
    if (!watch.state_->add_waiter(watch)) {
      forget(watch);
      child_ended(watch);
    }
  }
  if (--pending_ == 0) return all_ended();
  if (!core_) take_arrived_here();
}

bool WatchList::unlink(std::span<Watch> watches) noexcept {
  MutexLock lock(owners_mutex());
  const bool any = pending_ > 0;
  for (Watch& watch : watches) {
    if (watch.list_ && watch.state_->remove_waiter(watch)) forget(watch);
  }
  return any && pending_ == 0;
}

// Runs in: the thread that ended the state, which is not the loop's or finds that not running.
void WatchList::add_arrived(Watch& watch) noexcept {
  Watch* newest = arrived_.load();
  do {
    watch.next_waiter = newest;
  } while (!arrived_.compare_exchange_weak(newest, &watch));
  if (newest) return;
  // Nobody else does this until arrived_ was emptied, and this watch keeps the list alive till
  // then.
  if (core_) {
    core_->post(arrivals_);
  } else {
    take_arrived_here();
  }
}

// The oldest first.
WatchList::Watch* WatchList::pop_arrived(Watch* left_behind) noexcept {
  Waiter* oldest = nullptr;
  for (Waiter* watch = arrived_.exchange(left_behind); watch && watch != &busy;) {
    Waiter* const older = watch->next_waiter;
    watch->next_waiter = std::exchange(oldest, watch);
    watch = older;
  }
  return static_cast<Watch*>(oldest);
}

// True: the last one was among them, and the list may be gone.
bool WatchList::take_all(Watch* oldest) noexcept {
  while (oldest) {
    auto* const next = static_cast<Watch*>(oldest->next_waiter);
    if (take(*oldest)) return true;
    oldest = next;
  }
  return false;
}

// Runs in: the one thread that tells, where there is no loop.
void WatchList::take_arrived_here() noexcept {
  for (Watch* left = &busy;; left = &busy) {
    if (take_all(pop_arrived(&busy)) || arrived_.compare_exchange_strong(left, nullptr)) return;
  }
}

// Runs in: any thread, as the loop is closed. Several may come at once.
void WatchList::abandon_arrived() noexcept {
  bool last = false;
  abandoned();
  {
    MutexLock lock(owners_mutex());
    for (Waiter* watch = pop_arrived(); watch; watch = watch->next_waiter) --pending_;
    last = pending_ == 0;
  }
  if (last) all_ended();
}

std::string WatchList::Arrivals::describe() const {
  FutureState* const waiting = list_.awaited_for();
  return waiting ? "results for " + waiting->describe() : "results that nobody awaits";
}

}  // namespace plait::detail
