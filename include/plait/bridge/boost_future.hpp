// boost::future and boost::shared_future in and out; shows Boost, and is in no umbrella.
#pragma once

#include <exception>
#include <type_traits>
#include <utility>

#include <boost/exception_ptr.hpp>
#include <boost/thread/future.hpp>

#include <plait/bridge/detail/foreign_future.hpp>

namespace plait::detail {

/// Takes the outcome of a state over.
template <class T>
struct BoostTarget {
  void settle(ValueState<T>& state) noexcept {
    try {
      state.throw_unless_value();
      if constexpr (std::is_void_v<T>) {
        promise.set_value();
      } else {
        promise.set_value(state.give_value());
      }
    } catch (...) {
      // Not boost::current_exception(), which knows the standard classes only.
      promise.set_exception(boost::exception_ptr(std::current_exception()));
    }
  }

  boost::promise<T> promise;
};

}  // namespace plait::detail

namespace plait::aio {

/// A future of the running loop that ends as `f` does: see wrap_future() for std::future.
///
/// `f` is a boost::future, which older versions of Boost.Thread's interface call
/// boost::unique_future. Programs that include this header link with boost_thread. Clang 19 does
/// not compile Boost 1.81's futures with executors, which BOOST_THREAD_VERSION 4 turns on.
template <class T>
Future<T> wrap_future(boost::BOOST_THREAD_FUTURE<T> f) {
  auto& core = plait::detail::require_running_core();
  if (!f.valid()) plait::detail::throw_no_state("wrap_future()");
  const bool ready = f.is_ready();
  return plait::detail::wrap_foreign<T>(core, std::move(f), ready);
}

/// As above; the value is copied.
template <class T>
Future<T> wrap_future(boost::shared_future<T> f) {
  auto& core = plait::detail::require_running_core();
  if (!f.valid()) plait::detail::throw_no_state("wrap_future()");
  const bool ready = f.is_ready();
  return plait::detail::wrap_foreign<T>(core, std::move(f), ready);
}

/// A boost::shared_future that is ready when `f` is done: see to_std_future().
template <class T>
boost::shared_future<T> to_boost_future(Future<T> f) {
  plait::detail::BoostTarget<T> target;
  boost::shared_future<T> result(target.promise.get_future());
  plait::detail::OutcomeRelay<T, plait::detail::BoostTarget<T>>::start(
      plait::detail::take_state(std::move(f), "to_boost_future()"), std::move(target));
  return result;
}

}  // namespace plait::aio
