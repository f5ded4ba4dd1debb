// Generator: a function that gives one value after the other, and takes some in between.
#pragma once

#include <cstddef>
#include <iterator>
#include <memory>
#include <type_traits>
#include <utility>
#include <variant>

#include <plait/core/detail/frame_memory.hpp>
#include <plait/core/detail/generator_frame.hpp>
#include <plait/core/outcome.hpp>

namespace plait {

template <class Y, class S = std::monostate, class R = void>
class Generator;

/// What close() throws into a generator's body. No std::exception, so that it is not caught by
/// mistake.
///
/// **Python:** GeneratorExit, a BaseException.
class GeneratorExit {
 public:
  /// Always "GeneratorExit".
  const char* what() const noexcept { return "GeneratorExit"; }
};

namespace detail {

template <class Y, class S, class R>
class GeneratorPromise;

/// What co_yield yield_from() is given. Owns the inner generator.
template <class Y, class S, class R>
class YieldFrom {
 public:
  explicit YieldFrom(Generator<Y, S, R> inner) noexcept : inner_(std::move(inner)) {}

 private:
  template <class, class>
  friend class GeneratorBody;
  Generator<Y, S, R> inner_;
};

/// What the promises of generators have in common that yield a Y and take an S.
template <class Y, class S>
class GeneratorBody : public GeneratorFrame<Y, S> {
 public:
  // See CoroutineBody.
  static void* operator new(std::size_t size) { return allocate_frame(size); }
  static void operator delete(void* frame, std::size_t size) noexcept { free_frame(frame, size); }

  using GeneratorFrame<Y, S>::GeneratorFrame;

  std::suspend_always initial_suspend() const noexcept { return {}; }
  std::suspend_always final_suspend() noexcept {
    this->end();
    return {};
  }
  void unhandled_exception() noexcept { this->fail(std::current_exception()); }
  /// A generator cannot wait: an AsyncGenerator can.
  template <class A>
  void await_transform(A&&) = delete;

  auto yield_value(Y value) {
    this->yield(std::move(value));
    return YieldAwaiter(*this);
  }
  template <class R>
  auto yield_value(YieldFrom<Y, S, R>&& from) {
    return InnerAwaiter<R>(*this, from.inner_);
  }

 private:
  class YieldAwaiter {
   public:
    explicit YieldAwaiter(GeneratorFrame<Y, S>& frame) noexcept : frame_(frame) {}
    YieldAwaiter(YieldAwaiter&&) = delete;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<>) const noexcept {}
    S await_resume() const {
      frame_.throw_incoming();
      return frame_.take_sent();
    }

   private:
    GeneratorFrame<Y, S>& frame_;
  };

  template <class R>
  class InnerAwaiter {
   public:
    InnerAwaiter(GeneratorFrame<Y, S>& frame, Generator<Y, S, R>& inner) noexcept
        : frame_(frame), inner_(inner) {}
    InnerAwaiter(InnerAwaiter&&) = delete;
    bool await_ready() const {
      if (inner_.done()) return true;
      frame_.delegate_to(*inner_.promise_);
      return false;
    }
    void await_suspend(std::coroutine_handle<>) const noexcept {}
    R await_resume() const {
      frame_.throw_incoming();
      return inner_.take_value();
    }

   private:
    GeneratorFrame<Y, S>& frame_;
    Generator<Y, S, R>& inner_;
  };
};

template <class Y, class S, class R>
class GeneratorPromise final : public GeneratorBody<Y, S> {
 public:
  GeneratorPromise() noexcept
      : GeneratorBody<Y, S>(std::coroutine_handle<GeneratorPromise>::from_promise(*this)) {}

  Generator<Y, S, R> get_return_object() noexcept { return Generator<Y, S, R>(*this); }
  template <class V = R>
    requires std::constructible_from<R, V>
  void return_value(V&& value) {
    returned.emplace(std::forward<V>(value));
  }

  std::optional<R> returned;
};

template <class Y, class S>
class GeneratorPromise<Y, S, void> final : public GeneratorBody<Y, S> {
 public:
  GeneratorPromise() noexcept
      : GeneratorBody<Y, S>(std::coroutine_handle<GeneratorPromise>::from_promise(*this)) {}

  Generator<Y, S> get_return_object() noexcept { return Generator<Y, S>(*this); }
  void return_void() noexcept { returned.emplace(); }

  std::optional<std::monostate> returned;
};

}  // namespace detail

/// A coroutine that yields values of type Y, takes one of type S at each co_yield, and returns an
/// R.
///
/// What a `co_yield` is given goes to who called next() or send(); what the next of these calls
/// sends is what the `co_yield` gives, S() for next(). `co_yield yield_from(inner)` gives the
/// caller everything that `inner` yields, passes to it what is sent and thrown, and then gives its
/// return value; however deep such a chain is, the innermost generator is resumed directly.
/// Parameters live in the generator's frame; references and the captures of a lambda do not.
///
/// Destroying a generator destroys its body where it stands: locals are destroyed, but no
/// GeneratorExit is thrown. A generator that was moved from is done.
///
/// @snippet samples/from_yield_to_tasks.cpp generator
///
/// **Python:** a generator, by PEP 342 and PEP 380. **Threads:** one at a time.
template <class Y, class S, class R>
class Generator {
  static_assert(std::is_object_v<Y> && std::is_object_v<S>,
                "a generator yields and takes values: use a pointer in the place of a reference");

 public:
  /// What the compiler looks for.
  using promise_type = detail::GeneratorPromise<Y, S, R>;

  /// Takes over the other's body.
  Generator(Generator&& other) noexcept : promise_(std::exchange(other.promise_, nullptr)) {}
  /// As above; what it held before is destroyed.
  Generator& operator=(Generator other) noexcept {
    std::swap(promise_, other.promise_);
    return *this;
  }
  ~Generator() { destroy(); }

  /// Goes on to the next co_yield, with S() as what was sent.
  /// @returns what is yielded; nullopt: the generator has ended
  /// @throws what the body threw; RuntimeError if the body itself calls this; std::invalid_argument
  /// if the body waits for an S and there is no default one
  std::optional<Y> next() {
    if (!ready()) return std::nullopt;
    promise_->provide_nothing_to_leaf();
    return promise_->run();
  }
  /// As next(), with `value` as what was sent.
  /// @throws as next(); std::invalid_argument if the body does not wait for anything yet
  std::optional<Y> send(S value) {
    if (!ready()) return std::nullopt;
    if (promise_->started()) {
      promise_->send_to_leaf(std::move(value));
    } else if (!std::is_same_v<S, std::monostate>) {
      detail::throw_generator_send(true);
    }
    return promise_->run();
  }
  /// As next(), with `error` thrown where the body stands. One that was never started, or has
  /// ended, only throws it.
  std::optional<Y> throw_(  // NOLINT(readability-identifier-naming): `throw` is a keyword
      std::exception_ptr error) {
    const bool waits = ready();
    if (!waits || !promise_->started()) {
      if (waits) destroy();
      std::rethrow_exception(error);
    }
    promise_->throw_into(std::move(error));
    return promise_->run();
  }
  /// Ends it: GeneratorExit is thrown where the body stands; one that was never started is
  /// destroyed.
  /// @throws RuntimeError if the body yields in spite of it, or calls this; what else it throws
  void close() {
    if (!ready()) return;
    if (!promise_->started()) return destroy();
    try {
      promise_->throw_into(detail::make_generator_exit());
      if (!promise_->run()) return;
    } catch (const GeneratorExit&) {
      return;
    }
    detail::throw_generator_ignored_exit();
  }
  /// True once the body has ended.
  bool done() const { return !promise_ || promise_->done(); }
  /// What the body returned. @throws InvalidStateError if it has not
  ResultOf<R> value() const {
    if (!promise_ || !promise_->returned) detail::throw_generator_no_value();
    if constexpr (!std::is_void_v<R>) return *promise_->returned;
  }

  /// Goes through what next() gives.
  class iterator {
   public:
    using difference_type = std::ptrdiff_t;
    using value_type = Y;

    /// An iterator of nothing.
    iterator() = default;
    /// The value that was yielded last.
    Y& operator*() const { return *promise_->current; }
    /// As Generator::next().
    iterator& operator++() {
      advance();
      return *this;
    }
    /// As above.
    void operator++(int) { advance(); }
    /// True once it has ended.
    bool operator==(std::default_sentinel_t) const { return !promise_ || !promise_->current; }

   private:
    friend class Generator;
    explicit iterator(promise_type* promise) : promise_(promise) {
      if (promise_) advance();
    }
    void advance() {
      promise_->check_idle();
      promise_->current.reset();
      if (promise_->done()) return;
      promise_->provide_nothing_to_leaf();
      if (auto value = promise_->run()) promise_->current.emplace(std::move(*value));
    }

    promise_type* promise_ = nullptr;
  };
  /// Goes on to the next value. @throws as next()
  iterator begin() { return iterator(promise_); }
  /// Where the body has ended.
  std::default_sentinel_t end() { return {}; }

 private:
  friend promise_type;
  template <class, class>
  friend class detail::GeneratorBody;

  explicit Generator(promise_type& promise) noexcept : promise_(std::addressof(promise)) {}

  // False: it has ended.
  bool ready() const {
    if (!promise_) return false;
    promise_->check_idle();
    return !promise_->done();
  }
  void destroy() noexcept {
    if (auto* const promise = std::exchange(promise_, nullptr)) promise->self().destroy();
  }
  R take_value() {
    value();
    if constexpr (!std::is_void_v<R>) return std::move(*promise_->returned);
  }

  promise_type* promise_;  // owned; null: moved from, or closed before it was started
};

/// What a generator gives to `co_yield` to run another one in its place: see Generator.
///
/// **Python:** `yield from`.
template <class Y, class S, class R>
auto yield_from(Generator<Y, S, R> inner) {
  return detail::YieldFrom<Y, S, R>(std::move(inner));
}

}  // namespace plait
