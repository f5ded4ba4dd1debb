// Boost.Asio from plait's coroutines and plait from Boost.Asio's. The only header, beside those of
// io/, that shows Asio.
#pragma once

#include <concepts>
#include <memory>
#include <type_traits>
#include <utility>

#include <plait/bridge/detail/asio_operation.hpp>
#include <plait/bridge/detail/asio_wait.hpp>
#include <plait/core/coroutine.hpp>
#include <plait/core/future.hpp>
#include <plait/loop/event_loop.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/io_context.hpp>

namespace plait::detail {
class ContextDriver;
}

namespace plait::aio {

// NOLINTBEGIN(readability-identifier-naming): as Asio calls its tokens

/// The type of use_coroutine.
struct use_coroutine_t {
  /// An executor whose I/O objects take use_coroutine where no token is given.
  template <class Executor>
  struct executor_with_default : Executor {
    /// What Asio looks for.
    using default_completion_token_type = use_coroutine_t;

    /// The same executor, with another default.
    executor_with_default(const Executor& executor) noexcept  // NOLINT(google-explicit-constructor)
        : Executor(executor) {}
    /// As above, from what makes an Executor.
    template <class Other>
      requires(!std::same_as<Other, executor_with_default> &&
               std::convertible_to<const Other&, Executor>)
    executor_with_default(const Other& executor) noexcept  // NOLINT(google-explicit-constructor)
        : Executor(executor) {}
  };
  /// T, an I/O object's type, whose operations take use_coroutine if they are given no token.
  template <class T>
  using as_default_on_t =
      typename T::template rebind_executor<executor_with_default<typename T::executor_type>>::other;
};

// NOLINTEND(readability-identifier-naming)

/// A completion token: an Asio operation that is given it returns a Coroutine.
///
/// @snippet samples/asio_interop.cpp echo
///
/// The operation starts when it is awaited. It needs no coroutine frame; its handler runs in the
/// context of its I/O object, which is the loop's (`loop.context()`) or any other, and the awaiting
/// coroutine goes on in its own loop. A handler's leading error_code is thrown as
/// `boost::system::system_error`, an exception_ptr as what it holds; one more argument is the
/// result, several are a std::tuple. `as_tuple(use_coroutine)` gives all arguments as a std::tuple
/// and throws nothing; Asio's redirect_error, bind_executor and deferred compose.
///
/// **Python:** what loop.sock_recv() and its like are. **Threads:** as the I/O object.
/// **Cancellation:** reaches the operation as `cancellation_type::terminal` through its slot, in
/// the context of the I/O object. The await ends when the operation has ended, with CancelledError
/// if that is by the request (operation_aborted). If it has ended with anything else, that is the
/// result, so that nothing is lost, and the next await that waits throws CancelledError.
inline constexpr use_coroutine_t use_coroutine{};

/// `as_tuple(use_coroutine)`: the arguments of the handler as a std::tuple, error_code included.
using boost::asio::as_tuple;

/// Waits for a future as an Asio operation, so that Asio's coroutines, callbacks and futures can.
///
/// @snippet samples/asio_interop.cpp async_get
///
/// The handler is called with (std::exception_ptr, T), or with an exception_ptr alone for a
/// Future<void>, in its own executor; use_awaitable throws the error and gives the value. The value
/// is moved out of the last handle, else copied; with an error it is a T(). What is to be awaited
/// may be a task: from another thread than the loop's one of run_coroutine_threadsafe(). A context
/// that ends first drops the handler.
///
/// **Python:** none; asyncio.wrap_future() is the nearest. **Threads:** the handler's executor.
/// **Cancellation:** through the handler's cancellation slot: a queued job or a task is cancelled,
/// running work is asked to stop and not waited for; the error is a CancelledError.
/// @throws InvalidStateError for a future without a state
template <class T, class Token>
auto async_get(Future<T> future, Token&& token) {
  if (!future.valid()) plait::detail::throw_no_state("async_get()");
  using Signature = typename plait::detail::AsioWaitSignature<T>::Type;
  return boost::asio::async_initiate<Token, Signature>(plait::detail::AsioWaitInitiation<T>(),
                                                       token, std::move(future));
}

/// An event loop that has its turns in an io_context which somebody else runs.
///
/// @snippet test/bridge/test_asio_context_loop.cpp context_loop
///
/// The loop's context() is that io_context: Asio's objects on it are at hand in its coroutines. The
/// io_context's run() does not return while the loop has tasks, timers or watched descriptors; a
/// future or promise alone does not keep it. Only one thread may run it; to another one belongs
/// call_soon_threadsafe(), as with any loop. run_forever() and stop() are not for this loop.
///
/// Destroying it closes the loop, in the thread that runs the io_context or when nobody does; the
/// io_context has to outlive it. Asio's objects that its tasks are waiting for then must still
/// exist, as for any cancellation of an Asio operation.
/// **Python:** none. **Threads:** the one that runs the io_context.
class ContextLoop {
 public:
  /// A loop in `context`. @throws std::invalid_argument for a loop with virtual time
  explicit ContextLoop(boost::asio::io_context& context, LoopOptions options = LoopOptions());
  ContextLoop(const ContextLoop&) = delete;
  ContextLoop& operator=(const ContextLoop&) = delete;
  ~ContextLoop();

  /// The loop.
  EventLoop& loop() noexcept { return loop_; }

 private:
  EventLoop loop_;
  std::shared_ptr<plait::detail::ContextDriver> driver_;
};

}  // namespace plait::aio

/// What use_coroutine makes of an operation. A detail, which Asio looks for here.
template <class Signature>
class boost::asio::async_result<plait::aio::use_coroutine_t, Signature> {
  using Outcome = plait::detail::AsioOutcomeOf<Signature>;

 public:
  /// What the initiating function returns.
  // NOLINTNEXTLINE(readability-identifier-naming): Asio's name
  using return_type = plait::Coroutine<typename Outcome::Value>;

  /// What the initiating function does: it makes a coroutine that is to start the operation.
  template <class Initiation, class Token, class... Args>
  static return_type initiate(Initiation&& initiation, Token&&, Args&&... args) {
    using Operation =
        plait::detail::AsioOperation<Outcome, std::decay_t<Initiation>, std::decay_t<Args>...>;
    return plait::detail::make_coroutine<typename Outcome::Value>(
        Operation::make(std::forward<Initiation>(initiation), std::forward<Args>(args)...));
  }
};
