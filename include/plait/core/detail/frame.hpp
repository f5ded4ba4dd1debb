// One level of a chain of awaits: a coroutine's frame, or an operation that needs no body.
#pragma once

#include <bit>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <optional>
#include <source_location>
#include <string>
#include <type_traits>
#include <utility>

#include <plait/core/detail/frame_memory.hpp>
#include <plait/core/detail/stored.hpp>

namespace plait::detail {

class Fiber;
class Fork;

/// How a suspended fiber took the news that it is to be cancelled.
enum class Interrupted {
  gave_up,    ///< nothing will wake the fiber any more: who asked does
  passed_on,  ///< what it waits for was asked to end; that end wakes the fiber
  too_late    ///< the fiber has been woken already, or is just being woken
};

/// What a fiber waits for. The fiber's thread owns it.
class Suspension {
 public:
  /// Runs in: the fiber's thread, while it waits.
  virtual Interrupted interrupt() noexcept = 0;
  /// Runs in: the fiber's thread, which is about to resume. The wait has to end with `error`, and
  /// what the fiber was given with its wake-up goes back to the others.
  virtual void fail(std::exception_ptr error) noexcept = 0;
  /// Runs in: the fiber's thread, which is about to resume after suspend_for_grant(), where fail()
  /// is not called. What the fiber was given with its wake-up is its own from now on.
  virtual void accept() noexcept {}
  /// Runs in: the fiber's thread, which is about to destroy the waiting fiber. True: nothing will
  /// wake it any more; false: its wake-up is on the way, and has to be awaited first.
  virtual bool detach() noexcept { return true; }
  /// How a call stack calls it.
  virtual std::string what() const { return {}; }

 protected:
  Suspension() = default;
  ~Suspension() = default;
};

class OperationBase;

/// One level of a chain of awaits. Levels below are suspended until this one has ended.
///
/// Two words, as every coroutine that sleeps keeps them: who awaits it, and what it is.
class Frame {
 public:
  /// A coroutine whose body starts at `start`. The frame is the first part of its promise.
  explicit Frame(std::source_location start) noexcept { set_place(start); }
  /// An operation.
  explicit Frame(OperationBase& op) noexcept
      // SAFETY: a word to be marked; operation() takes the mark off again.
      : what_(reinterpret_cast<std::uintptr_t>(&op) | operation_mark) {}
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;

  // -- what it is
  bool is_operation() const noexcept { return (what_ & operation_mark) != 0; }
  /// What an operation does.
  OperationBase& operation() const noexcept {
    // SAFETY: the constructor's pointer, but for the mark.
    return *reinterpret_cast<OperationBase*>(what_ - operation_mark);
  }
  /// Resumes a coroutine.
  std::coroutine_handle<> self() noexcept {
    // SAFETY: the frame is the first part of the promise, and lies where any promise does that
    // needs no more than a coroutine's usual alignment, see CoroutineBody.
    return std::coroutine_handle<Frame>::from_promise(*this);
  }
  /// Of a coroutine: its last await, before that its start.
  std::source_location place() const noexcept { return std::bit_cast<std::source_location>(what_); }
  void set_place(std::source_location place) noexcept {
    what_ = std::bit_cast<std::uintptr_t>(place);  // a pointer to static data, hence even
  }

  // -- who awaits it
  /// False: it was neither awaited nor started.
  bool used() const noexcept { return awaited_by_ != unused; }
  /// The coroutine that awaits it; null: it is a root or one of several that were forked.
  Frame* parent() const noexcept {
    // SAFETY: await_by()'s pointer, or one of the marks.
    return (awaited_by_ & mark) == 0 ? reinterpret_cast<Frame*>(awaited_by_) : nullptr;
  }
  /// What it was forked with; null: it was not. Not to be asked where there is a parent.
  Fork* fork() const noexcept {
    // SAFETY: await_with()'s pointer, but for the mark.
    return reinterpret_cast<Fork*>(awaited_by_ & ~mark);
  }
  // SAFETY: words that parent() and fork() turn back.
  void await_by(Frame& parent) noexcept { awaited_by_ = reinterpret_cast<std::uintptr_t>(&parent); }
  void await_with(Fork& fork) noexcept {
    awaited_by_ = reinterpret_cast<std::uintptr_t>(&fork) | mark;
  }
  void mark_as_root() noexcept { awaited_by_ = root; }

 private:
  static constexpr std::uintptr_t mark = 1, operation_mark = 1;  // no object has an odd address
  static constexpr std::uintptr_t unused = 0, root = mark;

  std::uintptr_t awaited_by_ = unused;
  std::uintptr_t what_;
};

/// Destroys a frame that is not running, and with it what it has awaited.
void destroy_frame(Frame& frame) noexcept;

/// How a call stack calls a frame: an operation's name, or "function (file:line)".
std::string describe_frame(const Frame& frame);

/// How a frame ended: empty until then, and again once it was taken.
template <class T>
class ResultSlot {
 public:
  template <class... Args>
  void set_value(Args&&... args) {
    value_.emplace(std::forward<Args>(args)...);
  }
  void set_error(std::exception_ptr error) noexcept { error_ = std::move(error); }
  bool failed() const noexcept { return error_ != nullptr; }

  /// The value, moved out, or throws the error.
  T take() {
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
    return std::move(*value_);
  }
  std::exception_ptr take_error() noexcept { return std::exchange(error_, nullptr); }
  /// The value of a frame that has not failed.
  T&& value() noexcept { return std::move(*value_); }

 private:
  std::exception_ptr error_;
  std::optional<T> value_;
};

template <>
class ResultSlot<void> {
 public:
  void set_value() noexcept {}
  void set_error(std::exception_ptr error) noexcept { error_ = std::move(error); }
  bool failed() const noexcept { return error_ != nullptr; }

  void take() {
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }
  std::exception_ptr take_error() noexcept { return std::exchange(error_, nullptr); }
  static Nothing value() noexcept { return {}; }

 private:
  std::exception_ptr error_;
};

/// A frame that ends with a T.
template <class T>
class TypedFrame : public Frame {
 public:
  using Frame::Frame;
  ResultSlot<T> result;
};

/// What a frame without a body does: it waits for one thing, whose provider makes the result.
class OperationBase : public Suspension {
 public:
  /// Runs in: the thread that awaits. True: ended at once, without suspending the fiber.
  virtual bool ready() { return false; }
  /// Runs in: as above, `fiber` is set. Suspends the fiber and arranges for its wake-up.
  virtual void suspend() noexcept = 0;

  virtual ~OperationBase() = default;

  Fiber* fiber = nullptr;  ///< who waits; null: not started
};

/// What sleep(), Lock::acquire(), Queue::get() and their like are made of.
template <class T>
class Operation : public TypedFrame<T>, public OperationBase {
 public:
  Operation() noexcept : TypedFrame<T>(static_cast<OperationBase&>(*this)) {}

  void fail(std::exception_ptr error) noexcept override {
    this->result.set_error(std::move(error));
  }
};

// Implementation

inline void destroy_frame(Frame& frame) noexcept {
  if (frame.is_operation()) {
    delete &frame.operation();
  } else {
    frame.self().destroy();
  }
}

}  // namespace plait::detail
