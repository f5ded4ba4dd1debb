// What the handles of an AsyncGenerator share: its body, and how far that has come.
#pragma once

#include <cstdint>
#include <exception>
#include <optional>
#include <utility>

#include <plait/core/coroutine.hpp>

namespace plait::aio {
template <class T>
class AsyncGenerator;
}

namespace plait::detail {

class LoopCore;

/// The part of an async generator that does not depend on what it yields. Loop thread only.
///
/// It outlives the body, which is destroyed as soon as it has ended: so a next() that waits in a
/// task needs no handle, and a handle no body. A loop links those that were started and have not
/// ended.
class AsyncGeneratorState {
 public:
  explicit AsyncGeneratorState(Frame& body) noexcept : body_(&body) {}
  AsyncGeneratorState(const AsyncGeneratorState&) = delete;
  AsyncGeneratorState& operator=(const AsyncGeneratorState&) = delete;

  void retain() noexcept { ++references_; }
  void release() noexcept {
    if (--references_ == 0) delete this;
  }

  // -- for next() and aclose()
  /// Begins a step of the body; false: it has ended. `who` stands in the message of the
  /// RuntimeError that is thrown where another task runs it, or no loop.
  bool begin(const char* who);
  /// One step, begun, as a part of `parent`'s chain.
  Frame& body_in(Frame& parent) noexcept;
  /// What the step has ended with, if it was an error. Destroys a body that has ended.
  void finish_step();
  /// Ends a step that will not come to its end.
  void abandon_step() noexcept;
  /// The body, which is not started, is destroyed; or it has GeneratorExit thrown at its co_yield.
  static Coroutine<> close(StateRef<AsyncGeneratorState> state);

  // -- for the body
  /// Throws the GeneratorExit of close().
  void throw_incoming();
  void body_yields() noexcept { at_ = At::yield; }
  void body_ends(std::exception_ptr error) noexcept {
    at_ = At::end;
    error_ = std::move(error);
  }

  // -- for the loop: see LoopCore::add_generator()
  LoopCore* core = nullptr;
  AsyncGeneratorState* previous = nullptr;
  AsyncGeneratorState* next = nullptr;

 protected:
  virtual ~AsyncGeneratorState();

 private:
  enum class At : std::uint8_t { start, yield, running, end };

  void destroy_body() noexcept;

  Frame* body_;  // owned; null: destroyed
  std::uint32_t references_ = 1;
  At at_ = At::start;
  bool exit_ = false;  // the body is to throw GeneratorExit
  std::exception_ptr error_;
};

/// co_await on one step of a generator that begin() has begun.
class AsyncGeneratorStep {
 public:
  explicit AsyncGeneratorStep(AsyncGeneratorState& state) noexcept : state_(state) {}
  auto operator co_await() const noexcept { return Awaiter(state_); }

 private:
  // Destroyed before it is resumed: with the task, whose loop is being closed.
  class Awaiter {
   public:
    explicit Awaiter(AsyncGeneratorState& state) noexcept : state_(state) {}
    Awaiter(Awaiter&&) = delete;
    ~Awaiter() {
      if (!resumed_) state_.abandon_step();
    }
    bool await_ready() const noexcept { return false; }
    template <std::derived_from<Frame> Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> awaiting) noexcept {
      return transfer_to(state_.body_in(awaiting.promise()));
    }
    void await_resume() {
      resumed_ = true;
      state_.finish_step();
    }

   private:
    AsyncGeneratorState& state_;
    bool resumed_ = false;
  };

  AsyncGeneratorState& state_;
};

/// As above, with what is yielded.
template <class T>
class TypedAsyncGeneratorState final : public AsyncGeneratorState,
                                       public Recycled<TypedAsyncGeneratorState<T>> {
 public:
  using AsyncGeneratorState::AsyncGeneratorState;

  static Coroutine<std::optional<T>> next_value(StateRef<TypedAsyncGeneratorState> state) {
    if (!state || !state->begin("next()")) co_return std::nullopt;
    state->yielded.reset();
    co_await AsyncGeneratorStep(*state);
    std::optional<T> value = std::move(state->yielded);
    state->yielded.reset();
    co_return value;
  }

  std::optional<T> yielded;
};

template <class T>
class AsyncGeneratorPromise final : public CoroutineBody<void> {
 public:
  AsyncGeneratorPromise() : state_(*new TypedAsyncGeneratorState<T>(*this)) {}

  aio::AsyncGenerator<T> get_return_object(
      std::source_location start = std::source_location::current()) noexcept {
    this->set_place(start);
    return aio::AsyncGenerator<T>(state_);
  }
  void return_void() const noexcept {}
  auto final_suspend() noexcept {
    state_.body_ends(this->result.take_error());
    return CoroutineBody::final_suspend();
  }
  auto yield_value(T value) {
    state_.yielded.emplace(std::move(value));
    return YieldAwaiter(state_);
  }

 private:
  class YieldAwaiter {
   public:
    explicit YieldAwaiter(AsyncGeneratorState& state) noexcept : state_(state) {}
    YieldAwaiter(YieldAwaiter&&) = delete;
    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(
        std::coroutine_handle<AsyncGeneratorPromise> body) const noexcept {
      state_.body_yields();
      return transfer_to(*body.promise().parent());
    }
    void await_resume() const { state_.throw_incoming(); }

   private:
    AsyncGeneratorState& state_;
  };

  TypedAsyncGeneratorState<T>& state_;
};

}  // namespace plait::detail
