// Coroutines that run at once on the threads of a pool, and whose parent waits for all of them.
#pragma once

#include <atomic>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>

#include <plait/core/detail/context_state.hpp>
#include <plait/core/detail/execution.hpp>
#include <plait/core/detail/work_stealing_deque.hpp>

namespace plait::detail {

//   start()     all children but the first go to the owner's queue; the owner runs the first
//   ended()     in the owner's thread: counts the child there, takes the next one from its queue
//               in another one, or where the queue has no other child of this fork: joins
//   leave()     joins: subtracts what was counted from pending_; at zero the parent goes on here
//
// Invariant: pending_ is the number of children that have not ended, and of those that have ended
// in the owner's thread and are still in ended_here_. So as long as nothing is stolen and nobody
// waits, no locked instruction is needed to join. Before the owner's thread leaves a child that has
// not ended, which then may end anywhere, it gives up the forks above that: disown().

/// Why a strand has stopped, and what is left to do once its thread has nothing of it on its stack.
class StrandStop {
 public:
  /// Runs in: the thread in which it has stopped, as the last thing that this does with it. What is
  /// to go on there now; null: nothing, and the strand may run elsewhere already.
  virtual Frame* leave() noexcept = 0;

 protected:
  ~StrandStop() = default;
};

/// The forked coroutines that a thread has not started; others may steal them.
class ForkQueue {
 public:
  /// Runs in: the thread that owns it.
  void reserve(std::size_t count) { frames_.reserve(count); }
  void push(Frame& frame) noexcept { frames_.push_quietly(&frame); }
  Frame* pop() noexcept { return frames_.pop(); }
  /// Runs in: any thread.
  Frame* steal() noexcept { return frames_.steal(); }
  bool empty() const noexcept { return size() == 0; }
  std::size_t size() const noexcept { return frames_.size(); }

  /// Runs in: the thread that owns it, after push(). Whether somebody may have to be woken.
  bool helpers_wanted() const noexcept { return helpers_wanted_->load(); }
  /// Runs in: the owner, before the queue is used. Where it says that somebody sleeps.
  void set_helpers_wanted(const std::atomic<bool>& wanted) noexcept { helpers_wanted_ = &wanted; }

 private:
  static constexpr std::atomic<bool> never{false};

  WorkStealingDeque<Frame> frames_;
  const std::atomic<bool>* helpers_wanted_ = &never;
};

/// Several coroutines that were forked at once; it lives in the frame of the one that awaits them.
class Fork : public StrandStop {
 public:
  Fork() = default;
  Fork(const Fork&) = delete;
  Fork& operator=(const Fork&) = delete;

  /// Runs in: a thread of an executor. Starts `children`, one at least, as parts of `parent`'s job:
  /// the first one is to run now. Throws where there is no memory to queue them.
  template <class Frames>
  std::coroutine_handle<> start(Frame& parent, const Frames& children) {
    ForkQueue& queue = *execution.forks;
    queue.reserve(children.size() - 1);
    parent_ = &parent;
    job_ = execution.job;
    size_ = static_cast<std::uint32_t>(children.size());
    owner_.store(&queue, std::memory_order_relaxed);   // [FORK-1] published with the children
    pending_.store(size_, std::memory_order_relaxed);  // [FORK-1]
    if (current_context) [[unlikely]]
      context_ = share_context();
    for (std::size_t i = children.size() - 1; i > 0; --i) {
      children[i].await_with(*this);
      queue.push(children[i]);
    }
    if (queue.helpers_wanted()) [[unlikely]]
      call_helpers();
    children[0].await_with(*this);
    return transfer_to(children[0]);
  }

  /// Runs in: the thread in which `child` has just ended. What is to run there next.
  static std::coroutine_handle<> ended(Frame& child) noexcept {
    Fork& fork = *child.fork();
    if (current_context != fork.context_.get()) [[unlikely]]
      fork.restore_context();
    ForkQueue* const queue = execution.forks;
    if (fork.owner_.load() != queue) return fork.stop_to_join(1);
    if (++fork.ended_here_ == fork.size_) return transfer_to(*fork.parent_);
    if (Frame* const next = queue->pop()) {
      if (next->fork() == &fork) [[likely]]
        return transfer_to(*next);
      queue->push(*next);  // an older fork's, which waits for its turn
    }
    return fork.stop_to_join(fork.ended_here_);
  }

  Frame* leave() noexcept final;
  /// Runs in: a thread that is about to leave the strand with this leaf, which has not ended.
  static void disown(Frame& leaf) noexcept;

  /// Runs in: the parent instead of start(). Throws CancelledError, as its job was asked to end.
  [[noreturn]] static void throw_cancelled(const Frame& parent);
  /// Runs in: the parent, resumed. Throws the error of a child.
  [[noreturn]] void rethrow(std::exception_ptr error) const;

  /// Whose coroutine it is.
  CoroutineJob& job() const noexcept { return *job_; }
  /// What the children start with.
  const ContextRef& context() const noexcept { return context_; }

 private:
  void call_helpers() const noexcept;
  void restore_context() const noexcept;
  std::coroutine_handle<> stop_to_join(std::uint32_t count) noexcept;

  Frame* parent_ = nullptr;  // const once started, as job_, size_, context_
  CoroutineJob* job_ = nullptr;
  ContextRef context_;
  // In whose thread ended_here_ counts; null: it was subtracted. Stored by that thread, compared by
  // any with its own.
  std::atomic<ForkQueue*> owner_{nullptr};
  std::uint32_t size_ = 0;
  std::uint32_t ended_here_ = 0;  // the owner's
  // Children that have not joined: see above. Who subtracts the last ones resumes the parent.
  std::atomic<std::uint32_t> pending_{0};
};

}  // namespace plait::detail
