// How the end of an Asio operation finds the fiber that awaits it.
#include <plait/bridge/detail/asio_control.hpp>

#include <plait/core/cancelled_error.hpp>
#include <plait/core/detail/fiber.hpp>
#include <plait/core/errors.hpp>
#include <plait/loop/detail/loop_core.hpp>

#include <boost/asio/error.hpp>
#include <boost/asio/experimental/channel_error.hpp>
#include <boost/system/system_error.hpp>

#include "loop/selector.hpp"

namespace plait::detail {
namespace {

// Whether the context of a loop that is being closed is somebody else's.
bool runs_on_without(Scheduler& scheduler) noexcept {
  auto* const core = dynamic_cast<LoopCore*>(&scheduler);
  return core && core->selector_or_null() && !core->selector_or_null()->owns_context();
}

}  // namespace

void AsioControl::handler_gone() noexcept {
  const auto before = word_.fetch_and(static_cast<std::uint8_t>(~handler));
  if (before & starting) return;
  if (!(before & owner)) {
    if (!(before & emission)) destroy();
  } else if (!(before & detached)) {
    wake();
  }
}

void AsioControl::release(Part part) noexcept {
  const auto before = word_.fetch_and(static_cast<std::uint8_t>(~part));
  if ((before & (owner | handler | emission)) == part) destroy();
}

// The handler that has gone meanwhile may even have been called by the initiation itself. One that
// the initiation has kept although it threw is not awaited.
void AsioControl::begun() noexcept {
  const auto before = word_.fetch_and(static_cast<std::uint8_t>(~starting));
  if (!(before & handler) || (before & detached)) wake();
}

// The loop's own context runs no more. Somebody else's does: what is pending there must not use the
// memory of the frames any more.
bool AsioControl::detach() noexcept {
  if (runs_on_without(waiting_fiber().scheduler())) emit();
  return word_.fetch_or(detached) & handler;
}

// wake() is for the fiber's own thread, where a cancel() that comes next is then too late. From
// here on `this` may be gone.
void AsioControl::wake() noexcept {
  Fiber& fiber = waiting_fiber();
  if (running_loop == &fiber.scheduler()) {
    fiber.wake();
  } else {
    fiber.wake_from_any_thread();
  }
}

// What the user's own cancellation handlers throw has nowhere to go; the fiber waits on.
void AsioControl::emit() noexcept {
  if (!has(handler)) return;
  try {
    signal_.emit(boost::asio::cancellation_type::terminal);
  } catch (...) {
  }
}

// As often requested as before, but pending again, unless all requests were taken back.
void renew_request(Fiber& fiber) noexcept {
  fiber.cancel(fiber.cancel_message());
  fiber.uncancel();
}

bool runs_context(const Scheduler& scheduler,
                  const boost::asio::execution_context& context) noexcept {
  LoopCore* const core = running_core();
  if (!core || core != &scheduler || !core->selector_or_null()) return false;
  return &core->selector_or_null()->context() == &context;
}

bool is_abort(const boost::system::error_code& error) noexcept {
  return error == boost::asio::error::operation_aborted ||
         error == boost::asio::experimental::error::channel_cancelled;
}

bool is_abort(const std::exception_ptr& error) noexcept {
  if (!error) return false;
  try {
    std::rethrow_exception(error);
  } catch (const boost::system::system_error& e) {
    return is_abort(e.code());
  } catch (const CancelledError&) {
    return true;
  } catch (...) {
    return false;
  }
}

std::exception_ptr make_dropped_error() {
  return std::make_exception_ptr(RuntimeError(
      "the Asio operation will never end: its completion handler was destroyed without having "
      "been called; keep the context of its I/O object alive and running until it has ended"));
}

}  // namespace plait::detail
