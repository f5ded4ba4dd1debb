// Lock and Semaphore.
#include <plait/loop/detail/permits.hpp>

#include <limits>
#include <stdexcept>

#include <plait/core/log.hpp>
#include <plait/loop/locks.hpp>

#include "core/describe_exception.hpp"

namespace plait::detail {
namespace {

template <class Make>
auto next_permit(Permits& permits, const char* name, Make make) {
  using T = decltype(make());
  return make_coroutine<T>(new PermitOperation<T, Make>(permits, name, make));
}

}  // namespace

Permits::~Permits() {
  if (waiting_.empty()) return;
  const auto error = destroyed_error(binding_.what());
  while (!waiting_.empty()) waiting_.pop_front().refused(error);
}

void Permits::hand_over() noexcept {
  PermitWaiter& next = waiting_.pop_front();
  granted_.push_back(next);
  next.granted();
}

}  // namespace plait::detail

namespace plait::aio {

// ---------------------------------------------------------------- Lock

Coroutine<bool> Lock::acquire() {
  return detail::next_permit(permits_, "Lock.acquire()", [] { return true; });
}

Coroutine<Lock::Guard> Lock::scoped() {
  return detail::next_permit(permits_, "Lock.scoped()", [this] { return Guard(*this); });
}

void Lock::release() {
  if (!locked()) {
    throw RuntimeError("Lock is not acquired: each release() needs an acquire() before it");
  }
  permits_.check_here();
  permits_.give();
}

void Lock::leave_scope() noexcept {
  if (locked()) return permits_.give();
  detail::log(LogLevel::error,
              "Lock is not acquired at the end of a scope that has locked it: somebody else has "
              "released it");
}

// ---------------------------------------------------------------- Semaphore

Semaphore::Semaphore(std::size_t value)
    : permits_(static_cast<std::ptrdiff_t>(value), "Semaphore") {
  if (value > std::size_t(std::numeric_limits<std::ptrdiff_t>::max())) {
    throw std::invalid_argument("Semaphore initial value must be >= 0, and not huge");
  }
}

Coroutine<bool> Semaphore::acquire() {
  return detail::next_permit(permits_, "Semaphore.acquire()", [] { return true; });
}

Coroutine<Semaphore::Guard> Semaphore::scoped() {
  return detail::next_permit(permits_, "Semaphore.scoped()", [this] { return Guard(*this); });
}

void Semaphore::release() {
  permits_.check_here();
  permits_.give();
}

void Semaphore::leave_scope() noexcept {
  try {
    release();
  } catch (...) {
    detail::log_made(LogLevel::error, [] {
      return "the end of a scope could not release its semaphore: " +
             detail::describe_exception(std::current_exception());
    });
  }
}

void BoundedSemaphore::release() {
  if (value() >= bound_) {
    throw std::logic_error(
        "BoundedSemaphore released too many times: each release() needs an acquire() before it");
  }
  Semaphore::release();
}

}  // namespace plait::aio
