// Coroutine: a lazy coroutine, for event loops and pools alike.
#pragma once

#include <concepts>
#include <coroutine>
#include <exception>
#include <source_location>
#include <type_traits>
#include <utility>

#include <plait/core/detail/execution.hpp>
#include <plait/core/detail/fiber.hpp>
#include <plait/core/detail/fork.hpp>

namespace plait {

template <class T>
class Coroutine;

namespace detail {

template <class T>
class CoroutinePromise;
template <class T>
class CoroutineAwaiter;

/// Reports a coroutine that is destroyed without ever having been awaited, where a loop in debug
/// mode runs in this thread.
void report_never_awaited(const Frame& frame) noexcept;

/// Throws InvalidStateError: a Coroutine that was moved from was awaited or started.
[[noreturn]] void throw_no_coroutine();

/// Throws RuntimeError: an operation of a loop was awaited where none runs the coroutine.
[[noreturn]] void throw_needs_loop(const OperationBase& operation);

/// The root of a chain that is about to be started; the Coroutine gives it away.
template <class T>
TypedFrame<T>& release_frame(Coroutine<T>& coroutine);

/// The frame of a coroutine that is about to be started; the Coroutine keeps it.
template <class T>
TypedFrame<T>& frame_of(const Coroutine<T>& coroutine);

/// The frame of a coroutine that was not moved from; the Coroutine keeps it.
template <class T>
TypedFrame<T>& frame_in(const Coroutine<T>& coroutine) noexcept;

/// A Coroutine that is one operation.
template <class T>
Coroutine<T> make_coroutine(Operation<T>* operation) noexcept;

/// What the promise of every coroutine of plait has in common: it hands control to its parent when
/// it ends, and notes where it awaits.
template <class T>
class CoroutineBody : public TypedFrame<T> {
 public:
  // A frame that holds what needs more than 8 bytes of alignment has a size that is a multiple of
  // it.
  static void* operator new(std::size_t size) { return allocate_frame(size); }
  static void operator delete(void* frame, std::size_t size) noexcept { free_frame(frame, size); }

  CoroutineBody() noexcept : TypedFrame<T>(std::source_location()) {}

  std::suspend_always initial_suspend() const noexcept { return {}; }
  auto final_suspend() const noexcept { return EndAwaiter(); }
  void unhandled_exception() noexcept { this->result.set_error(capture_exception()); }

  // By value: GCC 12 copies an awaiter that it is given by reference.
  template <class A>
  auto await_transform(A&& awaitable, std::source_location here = std::source_location::current()) {
    static_assert(
        requires { std::forward<A>(awaitable).operator co_await(); },
        "co_await takes a plait Coroutine, Task or Future, or what has an operator "
        "co_await that returns the awaiter of one");
    this->set_place(here);
    return std::forward<A>(awaitable).operator co_await();
  }

 private:
  struct EndAwaiter {
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> ended) const noexcept {
      static_assert(alignof(Promise) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__,
                    "a coroutine's result is over-aligned: return a std::unique_ptr to it instead");
      Promise& promise = ended.promise();
      if (Frame* const parent = promise.parent()) [[likely]]
        return transfer_to(*parent);
      if (promise.fork()) return Fork::ended(promise);
      execution.leaf = &promise;
      execution.ended = true;
      return std::noop_coroutine();
    }
    void await_resume() const noexcept {}
  };
};

template <class T>
class CoroutinePromise final : public CoroutineBody<T> {
 public:
  Coroutine<T> get_return_object(
      std::source_location start = std::source_location::current()) noexcept {
    this->set_place(start);
    return Coroutine<T>(*this);
  }
  template <class V = T>
    requires std::constructible_from<T, V>
  void return_value(V&& value) {
    this->result.set_value(std::forward<V>(value));
  }
};

template <>
class CoroutinePromise<void> final : public CoroutineBody<void> {
 public:
  Coroutine<void> get_return_object(
      std::source_location start = std::source_location::current()) noexcept;
  void return_void() const noexcept {}
};

/// co_await on a coroutine: runs it as a part of the awaiting chain, without any queue.
template <class T>
class CoroutineAwaiter {
 public:
  explicit CoroutineAwaiter(TypedFrame<T>& child) noexcept : child_(child) {
    child.mark_as_root();  // until it is known who awaits: it counts as used
  }
  CoroutineAwaiter(CoroutineAwaiter&&) = delete;

  bool await_ready() const { return child_.is_operation() && ready(child_.operation()); }
  template <std::derived_from<Frame> Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> awaiting) const noexcept {
    child_.await_by(awaiting.promise());
    if (!child_.is_operation()) return transfer_to(child_);
    child_.operation().fiber = execution.fiber;
    child_.operation().suspend();
    return std::noop_coroutine();
  }
  T await_resume() const { return child_.result.take(); }

 private:
  static bool ready(OperationBase& operation) {
    if (!execution.fiber) throw_needs_loop(operation);
    return operation.ready();
  }

  TypedFrame<T>& child_;
};

}  // namespace detail

/// A lazy coroutine that ends with a T: it runs when it is awaited, made a task, or submitted.
///
/// `co_await coroutine()` runs it as a part of the awaiting one, without a queue and without using
/// up stack; an exception comes out of the co_await. A Coroutine that was never started is simply
/// dropped, in debug mode with a warning. Parameters live in the coroutine's frame, references and
/// the captures of a lambda do not: submit(), create_task() and task_group() say how to pass those.
///
/// **Python:** a coroutine object. **Threads:** one at a time; it runs where it is awaited.
/// **Cancellation:** as the task's or job's that it is a part of: CancelledError at a co_await.
template <class T = void>
class [[nodiscard]] Coroutine {
 public:
  /// What the compiler looks for.
  using promise_type = detail::CoroutinePromise<T>;
  /// The type of the result.
  using value_type = T;

  /// Takes over the other's coroutine; the other can then only be destroyed or assigned to.
  Coroutine(Coroutine&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  /// As above; what it held before is destroyed.
  Coroutine& operator=(Coroutine other) noexcept {
    std::swap(frame_, other.frame_);
    return *this;
  }
  ~Coroutine() {
    if (!frame_) return;
    if (!frame_->used()) detail::report_never_awaited(*frame_);
    detail::destroy_frame(*frame_);
  }

  /// Runs it to its end and gives its result. A coroutine can be awaited once.
  /// @throws what it threw; InvalidStateError if it was moved from
  detail::CoroutineAwaiter<T> operator co_await() && {
    return detail::CoroutineAwaiter<T>(detail::frame_of(*this));
  }

 private:
  friend promise_type;
  friend detail::TypedFrame<T>& detail::release_frame<T>(Coroutine&);
  friend detail::TypedFrame<T>& detail::frame_of<T>(const Coroutine&);
  friend detail::TypedFrame<T>& detail::frame_in<T>(const Coroutine&) noexcept;
  friend Coroutine detail::make_coroutine<T>(detail::Operation<T>*) noexcept;

  explicit Coroutine(detail::TypedFrame<T>& frame) noexcept : frame_(&frame) {}

  detail::TypedFrame<T>* frame_;  // owned; null: moved from
};

// Implementation

namespace detail {

inline Coroutine<void> CoroutinePromise<void>::get_return_object(
    std::source_location start) noexcept {
  set_place(start);
  return Coroutine<void>(*this);
}

template <class T>
TypedFrame<T>& frame_of(const Coroutine<T>& coroutine) {
  if (!coroutine.frame_ || coroutine.frame_->used()) throw_no_coroutine();
  return *coroutine.frame_;
}

template <class T>
TypedFrame<T>& frame_in(const Coroutine<T>& coroutine) noexcept {
  return *coroutine.frame_;
}

template <class T>
TypedFrame<T>& release_frame(Coroutine<T>& coroutine) {
  TypedFrame<T>& frame = frame_of(coroutine);
  coroutine.frame_ = nullptr;
  return frame;
}

template <class T>
Coroutine<T> make_coroutine(Operation<T>* operation) noexcept {
  return Coroutine<T>(*operation);
}

}  // namespace detail

}  // namespace plait
