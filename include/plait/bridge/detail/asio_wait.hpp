// An Asio operation that ends when a future is done: what async_get() starts.
#pragma once

#include <concepts>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

#include <plait/bridge/detail/handler_memory.hpp>
#include <plait/core/cancelled_error.hpp>
#include <plait/core/future.hpp>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/query.hpp>

namespace plait::detail {

class AsioWaitBase;

/// The waits whose handlers belong to one execution context. It outlives the context, which tells
/// it to drop the handlers when it ends.
class AsioWaitList {
 public:
  /// Runs in: the thread that starts a wait. False: the context has ended.
  bool add(AsioWaitBase& wait) noexcept;
  /// Runs in: the thread that has ended the future. Posts the handler, if the context still is.
  void future_done(AsioWaitBase& wait) noexcept;
  /// Runs in: the destructor of the context.
  void shut_down() noexcept;

 private:
  void remove(AsioWaitBase& wait) noexcept;

  std::mutex mutex_;  // held while a handler is posted: the context cannot end meanwhile
  AsioWaitBase* first_ = nullptr;  // guarded by mutex_
  bool shut_down_ = false;         // guarded by mutex_
};

/// Runs in: any thread that may use `context`. The list of its waits.
std::shared_ptr<AsioWaitList> waits_of(boost::asio::execution_context& context);

/// One wait. Known to its future until that is done, and to the context's list until the handler
/// is posted; then it belongs to the posted function.
class AsioWaitBase : public Waiter {
 public:
  AsioWaitBase(std::shared_ptr<AsioWaitList> list, FutureState& state) noexcept
      : list_(std::move(list)), state_(state) {}
  AsioWaitBase(const AsioWaitBase&) = delete;
  AsioWaitBase& operator=(const AsioWaitBase&) = delete;
  virtual ~AsioWaitBase() = default;

  void start() noexcept;
  void notify(FutureState&) noexcept final { list_->future_done(*this); }
  /// Runs in: the handler's executor. The handler's owner wants the wait to end.
  void cancel() noexcept;

 protected:
  HandlerMemory memory_;
  // Written by cancel(), before the handler is posted; read by the handler.
  bool cancelled_ = false;

 private:
  friend class AsioWaitList;

  /// Runs in: the thread that has ended the future, or the handler's. Posts the handler.
  virtual void post_handler() noexcept = 0;
  /// Runs in: the destructor of the context. Destroys the handler.
  virtual void drop_handler() noexcept = 0;

  const std::shared_ptr<AsioWaitList> list_;
  FutureState& state_;
  AsioWaitBase* next_ = nullptr;      // guarded by the list's mutex
  AsioWaitBase* previous_ = nullptr;  // likewise
  // Whoever of the future's end and the context's end comes second deletes it; likewise.
  bool half_gone_ = false;
};

/// The cancellation handler in the slot.
struct AsioWaitCanceller {
  AsioWaitBase* wait;
  void operator()(boost::asio::cancellation_type_t) noexcept { wait->cancel(); }
};

template <class T, class Handler>
class AsioWait final : public AsioWaitBase {
 public:
  AsioWait(std::shared_ptr<AsioWaitList> list, Future<T> future, Handler handler)
      : AsioWaitBase(std::move(list), *state_of(future)),
        future_(std::move(future)),
        end_(std::in_place, std::move(handler)) {
    auto slot = boost::asio::get_associated_cancellation_slot(end_->handler);
    if (slot.is_connected()) slot.template emplace<AsioWaitCanceller>(this);
  }

 private:
  using Executor = boost::asio::associated_executor_t<Handler>;

  struct End {
    explicit End(Handler given)
        : work(boost::asio::get_associated_executor(given)), handler(std::move(given)) {}
    boost::asio::executor_work_guard<Executor> work;
    Handler handler;
  };

  /// What is posted; it owns the wait.
  struct Completion {
    std::unique_ptr<AsioWait> wait;
    void operator()() { AsioWait::complete(std::move(wait)); }
  };

  void post_handler() noexcept override {
    const Executor executor = end_->work.get_executor();
    Completion completion{std::unique_ptr<AsioWait>(this)};
    boost::asio::post(executor, WithMemory<Completion>(memory_, std::move(completion)));
  }
  void drop_handler() noexcept override { end_.reset(); }

  static void complete(std::unique_ptr<AsioWait> wait) {
    auto slot = boost::asio::get_associated_cancellation_slot(wait->end_->handler);
    if (slot.is_connected()) slot.clear();
    End end = std::move(*wait->end_);
    Future<T> future = std::move(wait->future_);
    const bool cancelled = wait->cancelled_;
    wait.reset();
    if constexpr (std::is_void_v<T>) {
      std::move(end.handler)(take(future, cancelled, [](Future<T> f) { f.result(); }));
    } else {
      std::optional<T> value;
      auto error =
          take(future, cancelled, [&](Future<T> f) { value.emplace(std::move(f).result()); });
      if (!value) value.emplace();
      std::move(end.handler)(std::move(error), std::move(*value));
    }
  }
  template <class Take>
  static std::exception_ptr take(Future<T>& future, bool cancelled, Take take_value) noexcept {
    try {
      if (cancelled && !future.done()) throw CancelledError();
      take_value(std::move(future));
      return nullptr;
    } catch (...) {
      return std::current_exception();
    }
  }

  Future<T> future_;
  std::optional<End> end_;  // empty: the context has ended
};

template <class T>
struct AsioWaitSignature {
  static_assert(std::default_initializable<T>,
                "Asio's handlers get a value even with an error: async_get() needs a future "
                "whose result can be default-constructed, such as a std::optional or unique_ptr");
  using Type = void(std::exception_ptr, T);
};
template <>
struct AsioWaitSignature<void> {
  using Type = void(std::exception_ptr);
};

/// What async_get() hands to async_initiate().
template <class T>
struct AsioWaitInitiation {
  template <class Handler>
  void operator()(Handler&& handler, Future<T> future) const {
    auto& context = boost::asio::query(boost::asio::get_associated_executor(handler),
                                       boost::asio::execution::context);
    auto* const wait = new AsioWait<T, std::decay_t<Handler>>(waits_of(context), std::move(future),
                                                              std::forward<Handler>(handler));
    wait->start();
  }
};

}  // namespace plait::detail
