// boost::future and boost::shared_future in and out; shows Boost, and is in no umbrella.
#pragma once

#include <exception>
#include <utility>

#include <boost/exception_ptr.hpp>
#include <boost/thread/future.hpp>

#include <plait/bridge/detail/foreign_future.hpp>

namespace plait::detail {

/// Whether a boost::future, or a boost::shared_future, can be read without a wait.
struct IsBoostReady {
  template <class Foreign>
  bool operator()(const Foreign& f) const {
    return f.is_ready();
  }
};

/// Not boost::current_exception(), which knows the standard classes only.
struct ToBoostError {
  boost::exception_ptr operator()(std::exception_ptr error) const {
    return boost::exception_ptr(std::move(error));
  }
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
  return plait::detail::wrap_foreign<T>(std::move(f), plait::detail::IsBoostReady());
}

/// As above; the value is copied.
template <class T>
Future<T> wrap_future(boost::shared_future<T> f) {
  return plait::detail::wrap_foreign<T>(std::move(f), plait::detail::IsBoostReady());
}

/// A boost::shared_future that is ready when `f` is done: see to_std_future().
template <class T>
boost::shared_future<T> to_boost_future(Future<T> f) {
  boost::promise<T> promise;
  boost::shared_future<T> result(promise.get_future());
  plait::detail::OutcomeRelay<T, boost::promise<T>, plait::detail::ToBoostError>::start(
      plait::detail::take_state(std::move(f), "to_boost_future()"), std::move(promise));
  return result;
}

}  // namespace plait::aio
