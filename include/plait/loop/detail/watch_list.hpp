// Several states that something waits for, in whatever threads they end.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include <plait/loop/detail/loop_core.hpp>

namespace plait::detail {

/// Watches states and tells its consumer one after the other, once each, that they are done.
///
/// A state that ends in another thread puts its watch on a stack of those that have arrived; who
/// finds it empty brings them to the consumer. With a loop that means: posts the list to the loop,
/// in whose thread the consumer is told. Without one the thread that found it empty tells of all
/// that arrive, until it has left the stack empty: `busy` lies at its bottom meanwhile.
///
/// The list must live until all have been told of, or were unlinked: all_ended() says when. Once
/// the loop is closed nobody is told any more, but all_ended() still comes, in whatever thread.
/// Runs in: the loop's thread, or without a loop the one that tells; but for what says otherwise.
class WatchList {
 public:
  /// One state in the list.
  class Watch final : public Waiter {
   public:
    Watch() noexcept = default;
    /// Runs in: any thread.
    FutureState& state() const noexcept { return *state_; }
    void notify(FutureState& state) noexcept override;
    FutureState* waiting_state() const noexcept override;

   private:
    friend class WatchList;
    WatchList* list_ = nullptr;    // null: not watched yet, or told of in a loop
    StateRef<FutureState> state_;  // const after start()
  };

  WatchList(const WatchList&) = delete;
  WatchList& operator=(const WatchList&) = delete;

  /// There must be a loop.
  LoopCore& core() const noexcept { return *core_; }
  /// How many have not been told of.
  std::size_t pending() const noexcept { return pending_; }

 protected:
  /// Null: of no loop.
  explicit WatchList(LoopCore* core) : core_(core ? core->shared_from_this() : nullptr) {}
  ~WatchList() = default;

  /// Watches the states of `watches`, which live as long as the list: those that are done already
  /// are told of at once.
  void start(std::span<Watch> watches) noexcept;
  /// Names the state of a watch, before start().
  static void set_state(Watch& watch, StateRef<FutureState> state) noexcept {
    watch.state_ = std::move(state);
  }
  /// As above; refuses another loop's for `function`.
  void set_state(Watch& watch, StateRef<FutureState> state, const char* function) const;
  /// Ends the watch of all that can still be unlinked. True: those were the last, and all_ended()
  /// will not be called. Runs in: loop thread; once that is closed, any.
  bool unlink(std::span<Watch> watches) noexcept;

 private:
  class Arrivals final : public Runnable {
   public:
    explicit Arrivals(WatchList& list) noexcept : list_(list) {}
    void run() noexcept override { list_.take_arrived(); }
    void abandon() noexcept override { list_.abandon_arrived(); }
    std::string describe() const override;

   private:
    WatchList& list_;
  };

  /// `watch` is done; pending() no longer counts it.
  virtual void child_ended(Watch& watch) noexcept = 0;
  /// Nothing is pending any more: the list may be destroyed. Always the last call.
  virtual void all_ended() noexcept = 0;
  /// The loop is closed: what depends on the list will never be. May be called again.
  virtual void abandoned() noexcept {}
  /// Whose end the states bring nearer, for call graphs.
  virtual FutureState* awaited_for() const noexcept = 0;

  bool outside(const Watch& watch) const noexcept;
  void forget(Watch& watch) noexcept;
  bool take(Watch& watch) noexcept;
  void add_arrived(Watch& watch) noexcept;
  Watch* pop_arrived(Watch* left_behind = nullptr) noexcept;
  bool take_all(Watch* oldest) noexcept;
  void take_arrived() noexcept { take_all(pop_arrived()); }
  void take_arrived_here() noexcept;
  void abandon_arrived() noexcept;

  // Lies at the bottom of arrived_ where there is no loop, and a thread tells of what arrives.
  static Watch busy;

  // Null: there is none. Watches may arrive after the loop was destroyed.
  const std::shared_ptr<LoopCore> core_;
  std::size_t pending_ = 0;  // who tells; once the loop is closed, guarded by owners_mutex()
  Arrivals arrivals_{*this};
  // Watches that ended in another thread, newest first, linked by next_waiter. Written by those
  // threads; emptied by who tells. Who makes it non-empty posts arrivals_, or tells.
  std::atomic<Watch*> arrived_{nullptr};
};

// Implementation of what runs once a child.

inline FutureState* WatchList::Watch::waiting_state() const noexcept {
  return list_ ? list_->awaited_for() : nullptr;
}

inline void WatchList::Watch::notify(FutureState&) noexcept {
  if (running_loop && running_loop == list_->core_.get()) [[likely]] {
    list_->take(*this);
  } else {
    list_->add_arrived(*this);
  }
}

// Virtual time waits for what an executor does, not for a promise that a coroutine may keep.
inline bool WatchList::outside(const Watch& watch) const noexcept {
  const JobOwner* const owner = watch.state_->owner();
  return owner && owner != core_.get();
}

inline void WatchList::forget(Watch& watch) noexcept {
  if (core_) {
    watch.list_ = nullptr;
    if (outside(watch)) core_->expect_outside(-1);
  }
  --pending_;
}

// True: it was the last one, and the list may be gone.
inline bool WatchList::take(Watch& watch) noexcept {
  forget(watch);
  const bool last = pending_ == 0;
  child_ended(watch);
  if (last) all_ended();
  return last;
}

}  // namespace plait::detail
