// An Asio operation as a plait operation: what use_coroutine makes of it.
#pragma once

#include <concepts>
#include <cstddef>
#include <exception>
#include <new>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include <plait/bridge/detail/asio_control.hpp>
#include <plait/bridge/detail/loop_executor.hpp>
#include <plait/core/coroutine.hpp>
#include <plait/core/detail/fiber.hpp>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/system_executor.hpp>
#include <boost/system/system_error.hpp>

namespace plait::detail {

// ---------------------------------------------------------------- signatures

template <class E>
inline constexpr bool is_asio_error =
    std::same_as<E, boost::system::error_code> || std::same_as<E, std::exception_ptr>;

/// What an operation gives that hands `Values...` to its handler.
template <class... Values>
struct AsioValue {
  using Type = std::tuple<Values...>;
};
template <class T>
struct AsioValue<T> {
  using Type = T;
};
template <>
struct AsioValue<> {
  using Type = void;
};

/// What a handler with these parameters brings: an error or nothing, then the value.
template <class... Args>
struct AsioOutcome {
  using Error = void;
  using Value = typename AsioValue<Args...>::Type;
};
template <class E, class... Args>
  requires is_asio_error<E>
struct AsioOutcome<E, Args...> {
  using Error = E;
  using Value = typename AsioValue<Args...>::Type;
};

template <class Signature>
struct AsioOutcomeOf;
template <class R, class... Args>
struct AsioOutcomeOf<R(Args...)> : AsioOutcome<std::decay_t<Args>...> {};
template <class R, class... Args>
struct AsioOutcomeOf<R(Args...)&> : AsioOutcome<std::decay_t<Args>...> {};
template <class R, class... Args>
struct AsioOutcomeOf<R(Args...) &&> : AsioOutcome<std::decay_t<Args>...> {};
template <class R, class... Args>
struct AsioOutcomeOf<R(Args...) noexcept> : AsioOutcome<std::decay_t<Args>...> {};
template <class R, class... Args>
struct AsioOutcomeOf<R(Args...) & noexcept> : AsioOutcome<std::decay_t<Args>...> {};
template <class R, class... Args>
struct AsioOutcomeOf<R(Args...) && noexcept> : AsioOutcome<std::decay_t<Args>...> {};

/// Whether a value says that the operation was told to end: as_tuple() puts the error there.
template <class T>
bool is_abort_value(const T&) noexcept {
  return false;
}
template <class E, class... Rest>
  requires is_asio_error<E>
bool is_abort_value(const std::tuple<E, Rest...>& value) noexcept {
  return is_abort(std::get<0>(value));
}

// ---------------------------------------------------------------- executors

/// Where the I/O object runs its handlers, if the initiation says so. Asio's adaptors hand the
/// initiation that they wrap to their own as the first argument.
inline std::monostate executor_of() { return {}; }
template <class Initiation>
auto executor_of(const Initiation& initiation) {
  if constexpr (requires { initiation.get_executor(); }) {
    return initiation.get_executor();
  } else {
    return std::monostate();
  }
}
template <class Initiation, class First, class... Args>
auto executor_of(const Initiation& initiation, const First& first, const Args&...) {
  if constexpr (requires { initiation.get_executor(); }) {
    return initiation.get_executor();
  } else {
    return executor_of(first);
  }
}

/// Whether an executor says nothing about where the I/O object is.
template <class Executor>
inline constexpr bool is_no_place = false;
template <>
inline constexpr bool is_no_place<std::monostate> = true;
template <class Blocking, class Relationship, class Allocator>
inline constexpr bool
    is_no_place<boost::asio::basic_system_executor<Blocking, Relationship, Allocator>> = true;

/// The context of an executor, or null.
template <class Executor>
const boost::asio::execution_context* context_of(const Executor& executor) {
  if constexpr (boost::asio::can_query<const Executor&, boost::asio::execution::context_t>::value) {
    return &boost::asio::query(executor, boost::asio::execution::context);
  } else if constexpr (requires { executor.context(); }) {
    return &executor.context();
  } else {
    return nullptr;
  }
}

// ---------------------------------------------------------------- the operation

/// The completion handler that Asio gets. Move-only; it lets go of its operation once.
template <class Operation>
class AsioHandler {
 public:
  // NOLINTBEGIN(readability-identifier-naming): Asio's names
  using allocator_type = AsioAllocator<void>;
  using cancellation_slot_type = boost::asio::cancellation_slot;
  // NOLINTEND(readability-identifier-naming)

  explicit AsioHandler(Operation& operation) noexcept : operation_(&operation) {}
  AsioHandler(AsioHandler&& other) noexcept
      : operation_(std::exchange(other.operation_, nullptr)) {}
  AsioHandler& operator=(AsioHandler&& other) noexcept {
    std::swap(operation_, other.operation_);
    return *this;
  }
  ~AsioHandler() {
    if (operation_) operation_->handler_dropped();
  }

  allocator_type get_allocator() const noexcept { return {}; }
  LoopExecutor loop_executor() const noexcept { return operation_->loop_executor(); }
  cancellation_slot_type get_cancellation_slot() const noexcept { return operation_->slot(); }

  template <class... Args>
  void operator()(Args&&... args) {
    std::exchange(operation_, nullptr)->arrive(std::forward<Args>(args)...);
  }

 private:
  Operation* operation_;  // null: moved from, or called
};

/// An Asio operation that starts when it is awaited. Its handler stores what it brings; accept()
/// and fail() make the result of that, in the fiber's thread.
///
/// A request to cancel makes the operation end early, if it can. If it ends all the same with
/// something else, that is the result, and the request meets the next await that waits.
template <class Outcome, class Initiation, class... Args>
class AsioOperation final : public Operation<typename Outcome::Value>, public AsioControl {
 public:
  using Value = typename Outcome::Value;
  using Error = std::conditional_t<std::is_void_v<typename Outcome::Error>, std::monostate,
                                   typename Outcome::Error>;
  using Executor =
      decltype(executor_of(std::declval<const Initiation&>(), std::declval<const Args&>()...));
  static constexpr bool knows_executor = !is_no_place<Executor>;

  template <class I, class... A>
  static AsioOperation* make(I&& initiation, A&&... args) {
    static_assert(alignof(AsioOperation) <= 16, "over-aligned results: hand out a unique_ptr");
    void* const memory = allocate_frame(size());
    try {
      return ::new (memory) AsioOperation(std::forward<I>(initiation), std::forward<A>(args)...);
    } catch (...) {
      free_frame(memory, size());
      throw;
    }
  }
  /// `delete` is the owner's way to let go: the handler may still be out.
  static void operator delete(AsioOperation* operation, std::destroying_delete_t) noexcept {
    operation->release(owner);
  }

  // -- Asio's side
  /// Runs in: any thread. For handlers that no I/O object gives a place to run.
  LoopExecutor loop_executor() const noexcept {
    if constexpr (knows_executor) {
      return {};
    } else {
      return place_;
    }
  }
  template <class... A>
  void arrive(A&&... args) noexcept {
    try {
      store(std::forward<A>(args)...);
    } catch (...) {
      failure_ = std::current_exception();
    }
    handler_gone();
  }

  // -- the fiber's side
  void suspend() noexcept override {
    this->fiber->suspend_for_grant(*this, *this);
    if (!this->fiber->cancel_pending()) start();
  }
  Interrupted interrupt() noexcept override {
    if (!started_) return Interrupted::gave_up;
    if (!has(handler)) return Interrupted::too_late;
    requested_ = true;
    if (!has(starting)) request_end();
    return Interrupted::passed_on;
  }
  void accept() noexcept override { conclude(nullptr); }
  void fail(std::exception_ptr cancelled) noexcept override { conclude(std::move(cancelled)); }
  /// What runs in another context may be using the memory of the frames: its end is awaited.
  bool detach() noexcept override {
    if (!executor_) return AsioControl::detach();
    request_end();
    return false;
  }
  std::string what() const override { return "an Asio operation"; }

 private:
  template <class I, class... A>
  explicit AsioOperation(I&& initiation, A&&... args)
      : start_(std::in_place, std::forward<I>(initiation), std::forward<A>(args)...) {}
  ~AsioOperation() override = default;

  void destroy() noexcept override {
    this->~AsioOperation();
    free_frame(this, size());
  }
  static constexpr std::size_t size() noexcept { return (sizeof(AsioOperation) + 15) / 16 * 16; }
  Fiber& waiting_fiber() const noexcept override { return *this->fiber; }

  void start() noexcept;
  void note_where_it_runs(const std::tuple<Initiation, Args...>& parts);
  void request_end() noexcept;
  template <class... A>
  void store(A&&... args);
  void conclude(std::exception_ptr cancelled) noexcept;
  std::exception_ptr failure() const noexcept;
  bool aborted() noexcept;

  std::optional<std::tuple<Initiation, Args...>> start_;  // empty: it has been started
  std::optional<Executor> executor_;  // where it runs, if not in the scheduler's own context
  // Where its handler runs if nothing else is known.
  [[no_unique_address]] std::conditional_t<knows_executor, std::monostate, LoopExecutor> place_;
  std::exception_ptr failure_;  // of the initiation, or of storing what the handler brought
  Error error_{};               // what the handler brought
  bool started_ = false;
  bool requested_ = false;  // a request to cancel was passed on
};

// Implementation

template <class Outcome, class Initiation, class... Args>
void AsioOperation<Outcome, Initiation, Args...>::start() noexcept {
  started_ = true;
  begin();
  try {
    // The call's own, as it may be that this object is gone before the call has ended.
    auto parts = std::move(*start_);
    start_.reset();
    note_where_it_runs(parts);
    std::apply(
        [this](Initiation& initiation, Args&... args) {
          std::move(initiation)(AsioHandler<AsioOperation>(*this), std::move(args)...);
        },
        parts);
  } catch (...) {
    failure_ = std::current_exception();
    give_up_handler();
  }
  begun();
  if (requested_ && has(handler)) request_end();
}

template <class Outcome, class Initiation, class... Args>
void AsioOperation<Outcome, Initiation, Args...>::note_where_it_runs(
    const std::tuple<Initiation, Args...>& parts) {
  if constexpr (knows_executor) {
    auto executor = std::apply([](const auto&... part) { return executor_of(part...); }, parts);
    const auto* const context = context_of(executor);
    if (!context || runs_context(this->fiber->scheduler(), *context)) return;
    executor_.emplace(std::move(executor));
    this->fiber->scheduler().expect_outside(1);
  } else {
    place_ = executor_of_loop(this->fiber->scheduler());
  }
}

template <class Outcome, class Initiation, class... Args>
void AsioOperation<Outcome, Initiation, Args...>::request_end() noexcept {
  if (!knows_executor || !executor_) return emit();
  if (add(emission)) return;  // another request is on its way
  try {
    AsioEmission request(*this);
    if constexpr (knows_executor) boost::asio::post(*executor_, std::move(request));
  } catch (...) {
    // Without memory for the request the fiber waits on; it meets the next await.
  }
}

template <class Outcome, class Initiation, class... Args>
template <class... A>
void AsioOperation<Outcome, Initiation, Args...>::store(A&&... args) {
  if constexpr (std::is_void_v<typename Outcome::Error>) {
    this->result.set_value(std::forward<A>(args)...);
  } else {
    const auto store_value = [this]<class E, class... V>(E&& error, V&&... values) {
      error_ = std::forward<E>(error);
      if (!error_) this->result.set_value(std::forward<V>(values)...);
    };
    store_value(std::forward<A>(args)...);
  }
}

// Both kinds of error are false where there is none.
template <class Outcome, class Initiation, class... Args>
std::exception_ptr AsioOperation<Outcome, Initiation, Args...>::failure() const noexcept {
  if (failure_) return failure_;
  if (dropped_) return make_dropped_error();
  if constexpr (std::same_as<Error, std::exception_ptr>) {
    return error_;
  } else if constexpr (std::same_as<Error, boost::system::error_code>) {
    if (error_) return std::make_exception_ptr(boost::system::system_error(error_));
  }
  return nullptr;
}

template <class Outcome, class Initiation, class... Args>
bool AsioOperation<Outcome, Initiation, Args...>::aborted() noexcept {
  if (failure_) return false;
  if (dropped_) return true;
  if constexpr (!std::is_void_v<typename Outcome::Error>) {
    if (error_) return is_abort(error_);
  }
  if constexpr (std::is_void_v<Value>) {
    return false;
  } else {
    return is_abort_value(static_cast<const Value&>(this->result.value()));
  }
}

// `cancelled`: the error of a request that came too late to be passed on, or before the start.
template <class Outcome, class Initiation, class... Args>
void AsioOperation<Outcome, Initiation, Args...>::conclude(std::exception_ptr cancelled) noexcept {
  if (!started_) return this->result.set_error(std::move(cancelled));
  if (executor_) this->fiber->scheduler().expect_outside(-1);
  const bool requested = requested_ || cancelled;
  if (requested && aborted()) {
    if (!cancelled) cancelled = this->fiber->make_cancelled_error();
    return this->result.set_error(std::move(cancelled));
  }
  if (auto error = failure()) this->result.set_error(std::move(error));
  if (requested) renew_request(*this->fiber);
}

}  // namespace plait::detail

/// Handlers run where the I/O object runs them, and without one in the loop.
template <class Operation>
struct boost::asio::associated_executor<plait::detail::AsioHandler<Operation>,
                                        boost::asio::system_executor> {
  using type = plait::detail::LoopExecutor;  // NOLINT(readability-identifier-naming): Asio's name

  static type get(const plait::detail::AsioHandler<Operation>& handler) noexcept {
    return handler.loop_executor();
  }
  static type get(const plait::detail::AsioHandler<Operation>& handler,
                  const boost::asio::system_executor&) noexcept {
    return get(handler);
  }
};
