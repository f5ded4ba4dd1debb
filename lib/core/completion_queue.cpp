// Collects states in the order in which they become done.
#include <plait/core/detail/completion_queue.hpp>

#include <algorithm>
#include <stdexcept>
#include <string>

#include <plait/core/detail/need_search.hpp>
#include <plait/core/errors.hpp>
#include <plait/core/wait.hpp>

#include "core/adaptive_spin.hpp"
#include "core/futex.hpp"
#include "core/mutex.hpp"
#include "core/wait_graph.hpp"

namespace plait::detail {

// What the states know of a queue. It outlives the queue while a state is just about to notify.
class CompletionQueue::Shared {
 public:
  explicit Shared(const std::vector<FutureState*>& states) : nodes_(states.size()) {
    for (std::size_t place = 0; place < states.size(); ++place) {
      nodes_[place].shared = this;
      ++references_;
      if (!states[place]->add_waiter(nodes_[place])) finished(nodes_[place]);
    }
  }

  // Runs in: the thread of the queue. Afterwards no state that is not done knows this.
  void abandon(const std::vector<FutureState*>& states) {
    for (std::size_t place = 0; place < states.size(); ++place) {
      if (states[place] && states[place]->remove_waiter(nodes_[place])) release();
    }
    release();
  }

  std::optional<std::size_t> pop() {
    MutexLock lock(mutex_);
    if (!first_finished_) return {};
    const Node* const node = first_finished_;
    first_finished_ = node->next_finished;
    return static_cast<std::size_t>(node - nodes_.data());
  }

  bool any_finished() {
    MutexLock lock(mutex_);
    return first_finished_;
  }

  // False: nothing has finished, and no need has changed that take_needs_changed() has not told of.
  bool has_news() {
    MutexLock lock(mutex_);
    return first_finished_ || needs_changed_;
  }

  // True: what the states need has changed since the last time, so this thread may help.
  bool take_needs_changed() {
    MutexLock lock(mutex_);
    return std::exchange(needs_changed_, false);
  }

  // Runs in: any thread.
  void needs_changed() noexcept {
    bool wake = false;
    {
      MutexLock lock(mutex_);
      needs_changed_ = true;
      wake = asleep_.exchange(0) == 1;
    }
    if (wake) futex_wake(futex_address(), 1);
  }

  // Runs in: the thread of the queue. False: the deadline has passed.
  bool sleep_until(Deadline deadline) {
    {
      MutexLock lock(mutex_);
      if (first_finished_ || needs_changed_) return true;
      asleep_ = 1;
    }
    return futex_wait(futex_address(), 1, deadline);
  }

 private:
  struct Node final : Waiter {
    void notify(FutureState&) noexcept override { shared->finished(*this); }

    Shared* shared = nullptr;       // const after construction
    Node* next_finished = nullptr;  // guarded by the queue's mutex_
  };

  const std::uint32_t* futex_address() const {
    // SAFETY: as StateWord::futex_address(); only the kernel reads through this pointer.
    static_assert(std::atomic<std::uint32_t>::is_always_lock_free);
    return reinterpret_cast<const std::uint32_t*>(&asleep_);
  }

  // Runs in: any thread.
  void finished(Node& node) noexcept {
    bool wake = false;
    {
      MutexLock lock(mutex_);
      (first_finished_ ? last_finished_->next_finished : first_finished_) = &node;
      last_finished_ = &node;
      wake = asleep_.exchange(0) == 1;
    }
    if (wake) futex_wake(futex_address(), 1);
    release();
  }

  void release() noexcept {
    if (--references_ == 0) delete this;
  }

  std::vector<Node> nodes_;  // each linked into its state until that is done or abandon()
  Mutex mutex_;
  // Those that pop() has not given yet, linked and not copied: an end must not need memory.
  Node* first_finished_ PLAIT_TSA(guarded_by(mutex_)) = nullptr;
  Node* last_finished_ PLAIT_TSA(guarded_by(mutex_)) = nullptr;  // valid while there is a first
  bool needs_changed_ PLAIT_TSA(guarded_by(mutex_)) = false;     // see take_needs_changed()
  // One for the queue, one for each node that will be notified; who drops the last one deletes.
  std::atomic<std::uint32_t> references_{1};
  // 1: the queue's thread sleeps or is about to. Set by it and taken back by who finishes, both
  // under mutex_, so no wake-up is lost; atomic because the kernel compares it outside of the
  // mutex.
  std::atomic<std::uint32_t> asleep_{0};
};

// What the worker that waits in a queue can run meanwhile.
class CompletionQueue::Search final : public NeedSearch {
 public:
  Search(Shared& shared, const Deadline& deadline) : shared_(shared), deadline_(deadline) {}
  ~Search() { unwatch(); }

 private:
  void changed() noexcept override { shared_.needs_changed(); }
  bool enough() override {
    return shared_.any_finished() || (deadline_ && *deadline_ <= Clock::now());
  }

  Shared& shared_;
  const Deadline deadline_;
};

CompletionQueue::CompletionQueue(std::vector<FutureState*> states, std::optional<Duration> timeout)
    : CompletionQueue(std::move(states),
                      timeout ? Deadline(deadline_after(*timeout)) : Deadline()) {}

CompletionQueue::CompletionQueue(std::vector<FutureState*> states, Deadline deadline)
    : states_(std::move(states)),
      shared_(new Shared(states_)),
      deadline_(deadline),
      remaining_(states_.size()) {}

CompletionQueue::CompletionQueue(CompletionQueue&& other) noexcept
    : states_(std::move(other.states_)),
      shared_(std::exchange(other.shared_, nullptr)),
      deadline_(other.deadline_),
      remaining_(std::exchange(other.remaining_, 0)),
      search_(std::move(other.search_)),
      help_cursor_(other.help_cursor_) {}

CompletionQueue::~CompletionQueue() {
  search_.reset();
  if (shared_) shared_->abandon(states_);
}

std::optional<std::size_t> CompletionQueue::next() {
  std::optional<std::size_t> place;
  for (bool in_time = true; !(place = shared_->pop()) && in_time;) {
    in_time = help() || sleep();
  }
  if (!place) return {};
  states_[*place] = nullptr;
  --remaining_;
  return place;
}

std::optional<std::size_t> CompletionQueue::next_or_throw() {
  if (remaining_ == 0) return {};
  const std::size_t unfinished = remaining_;
  const auto place = next();
  if (place) return place;
  remaining_ = 0;
  throw TimeoutError(std::to_string(unfinished) + " (of " + std::to_string(states_.size()) +
                     ") futures unfinished");
}

bool CompletionQueue::expired() const { return deadline_ && *deadline_ <= Clock::now(); }

// True: something was run in place. Jobs are run in the order in which they were given.
bool CompletionQueue::help() {
  if (!working_thread.owner || expired()) return false;
  if (!search_) search_ = std::make_unique<Search>(*shared_, deadline_);
  if (shared_->take_needs_changed()) {
    search_->unwatch();
    help_cursor_ = 0;
  }
  for (; help_cursor_ < states_.size(); ++help_cursor_) {
    FutureState* const state = states_[help_cursor_];
    if (state && search_->help(*state)) return true;
  }
  return false;
}

// False: the deadline has passed.
bool CompletionQueue::sleep() {
  static thread_local AdaptiveSpin spin;
  if (expired()) return false;
  if (spin.until([this] { return shared_->has_news(); })) return true;
  std::vector<FutureState*> unfinished;
  std::ranges::copy_if(states_, std::back_inserter(unfinished), [](auto* state) { return state; });
  check_wait(unfinished);
  const BlockedThread blocked(unfinished, deadline_);
  bool in_time = true;
  while (in_time && !shared_->has_news()) in_time = shared_->sleep_until(deadline_);
  spin.woke();
  return in_time;
}

// ---------------------------------------------------------------- wait

std::vector<std::size_t> distinct(std::span<FutureState* const> states, const char* function) {
  std::vector<std::size_t> places(states.size());
  for (std::size_t place = 0; place < states.size(); ++place) {
    if (!states[place]) {
      throw std::invalid_argument(
          std::string(function) + " got a Future without a state at index " +
          std::to_string(place) + ": it was default-constructed or moved from");
    }
    places[place] = place;
  }
  const auto by_state = [&](std::size_t place) { return states[place]; };
  std::ranges::sort(places, std::less<>(), [&](std::size_t place) {
    return std::pair(states[place], place);  // the first of equal ones stays first
  });
  const auto repeated = std::ranges::unique(places, std::equal_to<>(), by_state);
  places.erase(repeated.begin(), repeated.end());
  std::ranges::sort(places);
  return places;
}

namespace {

bool failed(const FutureState& state) {
  return state.snapshot().phase() == Phase::finished && state.error() != nullptr;
}

}  // namespace

void wait_for(std::span<FutureState* const> states, const WaitOptions& options) {
  CompletionQueue queue({states.begin(), states.end()}, options.timeout);
  while (queue.remaining() > 0) {
    const auto place = queue.next();
    if (!place || options.return_when == FIRST_COMPLETED) return;
    if (options.return_when == FIRST_EXCEPTION && failed(*states[*place])) return;
  }
}

}  // namespace plait::detail
