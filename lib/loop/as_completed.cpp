// Several states in the order in which they end, for several coroutines that take one each.
#include <atomic>
#include <utility>

#include <plait/core/detail/frame_memory.hpp>
#include <plait/core/errors.hpp>
#include <plait/loop/detail/completions.hpp>

namespace plait::detail {
namespace {
class NextOperation;
}  // namespace

// Its watches, its timer and the handle of its consumers hold it; who is the last deletes it.
class CompletionList final : public WatchList, public Timer {
 public:
  using Item = StateRef<FutureState>;

  CompletionList(LoopCore& core, std::span<FutureState* const> states)
      : WatchList(&core), watches_(states.size()) {
    ended_.reserve(states.size());
    for (std::size_t i = 0; i < states.size(); ++i) {
      set_state(watches_[i], Item::share(*states[i]), "as_completed()");
    }
  }

  void begin(std::optional<Duration> timeout) noexcept {
    if (timeout) {
      ++holders_;
      core().timers().add(*this, core().deadline(*timeout));
    }
    start(watches_);
  }
  void drop() noexcept {
    stop_timer();
    if (unlink(watches_)) let_go();
    let_go();
  }

  // -- for those who wait
  bool empty() const noexcept { return first_ == ended_.size(); }
  bool expired() const noexcept { return expired_; }
  Item take() noexcept { return std::move(ended_[first_++]); }
  // The first who waits gets it; without one it is the next to be taken.
  void give_back(Item item) noexcept;
  void append(NextOperation& waiting) noexcept;
  void remove(NextOperation& waiting) noexcept;

  // -- the timer
  void run() noexcept override;
  void abandon() noexcept override { let_go(); }
  std::string describe() const override { return "timeout of as_completed()"; }

 private:
  void child_ended(Watch& watch) noexcept override;
  void all_ended() noexcept override {
    stop_timer();
    let_go();
  }
  FutureState* awaited_for() const noexcept override;
  void let_go() noexcept {
    if (--holders_ == 0) delete this;
  }
  void stop_timer() noexcept {
    if (!armed()) return;
    core().timers().remove(*this);
    let_go();
  }
  NextOperation* pop_waiting() noexcept;

  std::vector<Watch> watches_;
  std::vector<Item> ended_;  // in this order; room for all
  std::size_t first_ = 0;    // those before it were taken
  NextOperation* first_waiting_ = nullptr;
  bool expired_ = false;
  // The stream and the pending watches; the timer while it is set. Each subtracts itself once, the
  // watches in another thread if the loop is closed.
  std::atomic<int> holders_{2};
};

namespace {

class NextOperation final : public Operation<StateRef<FutureState>>,
                            public Recycled<NextOperation> {
 public:
  explicit NextOperation(CompletionList& list) noexcept : list_(list) {}
  ~NextOperation() override {
    if (waits_) list_.remove(*this);
  }

  bool ready() override {
    if (!list_.empty()) {
      result.set_value(list_.take());
    } else if (list_.expired()) {
      set_timeout();
    } else {
      return false;
    }
    return true;
  }
  void suspend() noexcept override {
    waits_ = true;
    list_.append(*this);
    fiber->suspend(*this, *this);
  }
  Interrupted interrupt() noexcept override {
    if (!waits_) return Interrupted::too_late;
    waits_ = false;
    list_.remove(*this);
    return Interrupted::gave_up;
  }
  void fail(std::exception_ptr error) noexcept override {
    if (given_) list_.give_back(std::move(result.value()));
    Operation::fail(std::move(error));
  }
  std::string what() const override { return "as_completed()"; }

  // Runs in: the list, which no longer knows this.
  void give(StateRef<FutureState> item) noexcept {
    result.set_value(std::move(item));
    given_ = true;
    end_wait();
  }
  void expire() noexcept {
    set_timeout();
    end_wait();
  }

  NextOperation* next = nullptr;  // in the list of those who wait

 private:
  void end_wait() noexcept {
    waits_ = false;
    fiber->wake();
  }
  void set_timeout() noexcept {
    result.set_error(std::make_exception_ptr(TimeoutError(
        "as_completed() timed out before this result; its future runs on: give it more time")));
  }

  CompletionList& list_;
  bool waits_ = false;
  bool given_ = false;
};

}  // namespace

void CompletionList::child_ended(Watch& watch) noexcept {
  ended_.push_back(Item::share(watch.state()));
  if (NextOperation* const waiting = pop_waiting()) waiting->give(take());
}

void CompletionList::give_back(Item item) noexcept {
  if (NextOperation* const waiting = pop_waiting()) return waiting->give(std::move(item));
  ended_[--first_] = std::move(item);
}

FutureState* CompletionList::awaited_for() const noexcept {
  return first_waiting_ ? &first_waiting_->fiber->state() : nullptr;
}

void CompletionList::run() noexcept {
  expired_ = true;
  if (unlink(watches_)) let_go();
  while (NextOperation* const waiting = pop_waiting()) waiting->expire();
  let_go();
}

void CompletionList::append(NextOperation& waiting) noexcept {
  NextOperation** end = &first_waiting_;
  while (*end) end = &(*end)->next;
  *end = &waiting;
}

void CompletionList::remove(NextOperation& waiting) noexcept {
  NextOperation** link = &first_waiting_;
  while (*link != &waiting) link = &(*link)->next;
  *link = waiting.next;
}

NextOperation* CompletionList::pop_waiting() noexcept {
  NextOperation* const waiting = first_waiting_;
  if (waiting) first_waiting_ = waiting->next;
  return waiting;
}

CompletionStream::CompletionStream(LoopCore& core, std::span<FutureState* const> states,
                                   std::optional<Duration> timeout)
    : list_(new CompletionList(core, states)) {
  list_->begin(timeout);
}

CompletionStream::~CompletionStream() { list_->drop(); }

Coroutine<StateRef<FutureState>> CompletionStream::next() {
  return make_coroutine<StateRef<FutureState>>(new NextOperation(*list_));
}

}  // namespace plait::detail
