// How work from other threads reaches a loop that may sleep.
#include <plait/loop/detail/loop_inbox.hpp>

#include <utility>

#include "core/futex.hpp"

namespace plait::detail {
namespace {

// SAFETY: never dereferenced; no object has an address that small, nor one that is odd.
Runnable* mark(std::uintptr_t number) { return reinterpret_cast<Runnable*>(number); }
Runnable* in_futex() { return mark(1); }
Runnable* in_selector() { return mark(3); }
Runnable* closed() { return mark(5); }
bool is_work(const Runnable* top) {
  return top && top != in_futex() && top != in_selector() && top != closed();
}

// SAFETY: as StateWord::futex_address(). The lower half of a mark is odd, an address's never is.
const std::uint32_t* futex_address(const std::atomic<Runnable*>& word) {
  static_assert(std::atomic<Runnable*>::is_always_lock_free);
  return reinterpret_cast<const std::uint32_t*>(&word);
}

}  // namespace

LoopInbox::Found LoopInbox::push(Runnable& work) noexcept {
  Runnable* top = inbox_.load();
  do {  // [INBOX-2]
    if (top == closed()) return Found::closed;
    work.next_runnable = is_work(top) ? top : nullptr;
  } while (!inbox_.compare_exchange_weak(top, &work));
  // From here on the loop may be gone; the kernel knows if its memory is.
  if (top == in_futex()) {
    futex_wake(futex_address(inbox_), 1);
    return Found::asleep_in_futex;
  }
  return top == in_selector() ? Found::asleep_in_selector : Found::awake;
}

bool LoopInbox::has_work() const noexcept { return is_work(inbox_.load()); }

void LoopInbox::take_all_there_are(ReadyQueue& ready) noexcept {
  Runnable* newest = inbox_.exchange(nullptr);
  Runnable* oldest = nullptr;
  while (is_work(newest)) {
    Runnable* const older = newest->next_runnable;
    newest->next_runnable = std::exchange(oldest, newest);
    newest = older;
  }
  while (oldest) ready.push(*std::exchange(oldest, oldest->next_runnable));
}

void LoopInbox::sleep(Deadline deadline) noexcept {
  Runnable* top = nullptr;
  if (!inbox_.compare_exchange_strong(top, in_futex())) return;  // [INBOX-1]
  // SAFETY: the number that mark() was given.
  const auto expected = static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(in_futex()));
  while (inbox_.load() == in_futex() && futex_wait(futex_address(inbox_), expected, deadline)) {
  }
}

bool LoopInbox::sleep_in_selector() noexcept {
  Runnable* top = nullptr;
  return inbox_.compare_exchange_strong(top, in_selector());  // [INBOX-1]
}

bool LoopInbox::wake_from_selector() noexcept {
  Runnable* top = in_selector();
  return inbox_.compare_exchange_strong(top, nullptr);
}

void LoopInbox::close() noexcept {
  Runnable* rest = inbox_.exchange(closed());
  while (is_work(rest)) std::exchange(rest, rest->next_runnable)->abandon();
}

}  // namespace plait::detail
