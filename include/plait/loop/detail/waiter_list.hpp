// Tasks that wait in line, linked by the operations in which they wait.
#pragma once

#include <exception>

#include <plait/core/detail/scheduler.hpp>

namespace plait::detail {

/// What stands in one WaiterList or in none; it leaves the list when it is destroyed, and the list
/// lets go of it when that is.
class WaiterLink {
 public:
  WaiterLink(const WaiterLink&) = delete;
  WaiterLink& operator=(const WaiterLink&) = delete;

  bool linked() const noexcept { return next_ != nullptr; }
  void unlink() noexcept {
    if (!next_) return;
    previous_->next_ = next_;
    next_->previous_ = previous_;
    next_ = previous_ = nullptr;
  }

 protected:
  WaiterLink() = default;
  ~WaiterLink() { unlink(); }

 private:
  template <class W>
  friend class WaiterList;

  WaiterLink* previous_ = nullptr;
  WaiterLink* next_ = nullptr;  // null: in no list
};

/// A line of W, which derive from WaiterLink: first come, first served, without any memory of its
/// own. Loop thread only.
template <class W>
class WaiterList {
 public:
  WaiterList() noexcept { ends_.next_ = ends_.previous_ = &ends_; }
  ~WaiterList() {
    while (!empty()) front().unlink();
  }

  bool empty() const noexcept { return ends_.next_ == &ends_; }
  /// Who waits longest, while it is not empty.
  W& front() noexcept { return static_cast<W&>(*ends_.next_); }
  void push_back(W& waiter) noexcept {
    WaiterLink& link = waiter;
    link.previous_ = ends_.previous_;
    link.next_ = &ends_;
    ends_.previous_->next_ = &link;
    ends_.previous_ = &link;
  }
  /// Who waits longest, taken out, while it is not empty.
  W& pop_front() noexcept {
    W& waiter = front();
    waiter.unlink();
    return waiter;
  }

 private:
  struct Ends : WaiterLink {};

  Ends ends_;
};

/// For those who wait in `what` while that is destroyed: RuntimeError.
std::exception_ptr destroyed_error(const char* what) noexcept;

/// The loop whose tasks wait in the lists of an object: the first one that did. Loop thread only.
class LoopBinding {
 public:
  /// `what` names the object's class in messages.
  explicit LoopBinding(const char* what) noexcept : what_(what) {}

  /// A task is about to wait. @throws RuntimeError if none runs here, or one of another loop
  void bind() {
    if (!running_loop || loop_ != running_loop) bind_slowly();
  }
  /// Tasks wait, and some are about to be woken. @throws RuntimeError in another loop or thread
  void check_here() const {
    if (running_loop != loop_) check_here_slowly();
  }
  const char* what() const noexcept { return what_; }

 private:
  void bind_slowly();
  void check_here_slowly() const;

  const char* const what_;
  const Scheduler* loop_ = nullptr;  // an address only, unless somebody waits; null: nobody has yet
};

}  // namespace plait::detail
