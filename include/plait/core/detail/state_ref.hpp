// A counted handle to what counts its own references.
#pragma once

#include <utility>

namespace plait::detail {

/// A counted handle to a state: an object with retain() and release().
template <class State>
class StateRef {
 public:
  StateRef() noexcept = default;
  /// Takes over one of the references that the state was made with.
  static StateRef adopt(State* state) noexcept { return StateRef(state); }
  /// One more reference.
  static StateRef share(State& state) noexcept {
    state.retain();
    return StateRef(&state);
  }
  StateRef(const StateRef& other) noexcept : state_(other.state_) {
    if (state_) state_->retain();
  }
  StateRef(StateRef&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  StateRef& operator=(StateRef other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~StateRef() {
    if (state_) state_->release();
  }

  State* get() const noexcept { return state_; }
  State& operator*() const noexcept { return *state_; }
  State* operator->() const noexcept { return state_; }
  explicit operator bool() const noexcept { return state_ != nullptr; }
  /// Gives the reference away: the caller releases it.
  State* detach() noexcept { return std::exchange(state_, nullptr); }

 private:
  explicit StateRef(State* state) noexcept : state_(state) {}

  State* state_ = nullptr;
};

}  // namespace plait::detail
