// A callable in a loop's queue or among its timers, in one allocation.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <typeinfo>
#include <utility>

#include <plait/core/context.hpp>
#include <plait/core/detail/frame_memory.hpp>
#include <plait/loop/detail/timer_wheel.hpp>

namespace plait::detail {

class LoopCore;

/// What a Handle refers to. Two references: the queue's (or the wheel's), and the handles'.
class LoopCallback : public Timer {
 public:
  explicit LoopCallback(LoopCore& core) noexcept : core_(core), context_(share_context()) {}

  /// Runs in: the loop. Calls it, unless it was cancelled; gives the queue's reference back.
  void run() noexcept final;
  /// Runs in: the loop, which is being closed.
  void abandon() noexcept final;
  /// Runs in: any thread for what went through the inbox, else the loop's. The first of this and
  /// run() wins.
  void cancel() noexcept;
  bool cancelled() const noexcept { return state_ == State::cancelled; }
  std::string describe() const final;

  void retain() noexcept { ++references_; }
  void release() noexcept {
    if (--references_ == 0) delete this;
  }

 protected:
  virtual ~LoopCallback() = default;
  /// Whether the callable is still alive, for the derived destructor.
  bool waits() const noexcept { return state_ == State::waiting; }

 private:
  enum class State : std::uint8_t { waiting, run, cancelled };

  virtual void call() = 0;
  virtual void discard() noexcept = 0;
  virtual const std::type_info& type() const noexcept = 0;
  bool leave_waiting(State next) noexcept;

  LoopCore& core_;
  ContextRef context_;
  // Every holder adds and subtracts itself; who subtracts the last one deletes. Starts with the
  // queue's and the first handle's.
  std::atomic<std::uint32_t> references_{2};
  // Written once, by the loop that runs it or by who cancels it: whoever wins owns the callable.
  std::atomic<State> state_{State::waiting};
};

/// A counted reference to a callback.
using CallbackRef = StateRef<LoopCallback>;

template <class Fn, class... Args>
class BoundCallback final : public LoopCallback, public Recycled<BoundCallback<Fn, Args...>> {
 public:
  template <class F, class... A>
  explicit BoundCallback(LoopCore& core, F&& fn, A&&... args)
      : LoopCallback(core), call_(std::forward<F>(fn), std::forward<A>(args)...) {}

 private:
  ~BoundCallback() override {
    if (waits()) discard();
  }
  void call() override {
    std::apply([](Fn& fn, Args&... args) { std::invoke(std::move(fn), std::move(args)...); },
               call_);
  }
  void discard() noexcept override { std::destroy_at(std::addressof(call_)); }
  const std::type_info& type() const noexcept override { return typeid(Fn); }

  union {
    std::tuple<Fn, Args...> call_;  // alive until it was called or cancelled
  };
};

}  // namespace plait::detail
