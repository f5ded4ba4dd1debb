// A done-callback as a waiter.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include <plait/core/detail/context_state.hpp>
#include <plait/core/detail/future_state.hpp>

namespace plait::detail {

/// A number that no other callback has; never 0.
std::uint64_t next_callback_id() noexcept;

/// A done-callback that is called once: by who ends the state, or where the state belongs to a
/// loop, by that loop. Deletes itself when it has been called, or was taken away.
class Callback : public Waiter, public Runnable {
 public:
  Callback() noexcept { callback_id = next_callback_id(); }

  void notify(FutureState& state) noexcept final;
  /// As notify(), of a state that was done before; its owner may be gone by now.
  void notify_late(FutureState& state) noexcept;
  void removed() noexcept final { delete this; }
  void run() noexcept final;
  void abandon() noexcept final { delete this; }
  std::string describe() const final;

 protected:
  virtual ~Callback() = default;

 private:
  virtual void call(FutureState& state) = 0;
  void call_and_delete(FutureState& state) noexcept;

  StateRef<FutureState> state_;           // set while it is in a loop's queue
  ContextRef context_ = share_context();  // for a loop's states: it is called in this
};

/// Calls `fn(state)`.
template <class F>
class CallbackWaiter final : public Callback {
 public:
  explicit CallbackWaiter(F fn) : fn_(std::move(fn)) {}

 private:
  void call(FutureState& state) override { fn_(state); }

  F fn_;
};

}  // namespace plait::detail
