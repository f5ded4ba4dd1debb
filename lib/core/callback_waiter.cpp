// In which thread a done-callback runs, and where its errors go.
#include <plait/core/detail/callback_waiter.hpp>

#include <atomic>
#include <memory>

#include <plait/core/detail/scheduler.hpp>
#include <plait/core/log.hpp>

#include "core/describe_exception.hpp"
#include "core/live_schedulers.hpp"

namespace plait::detail {

std::uint64_t next_callback_id() noexcept {
  // Written by every thread that adds a callback; only its being different each time matters.
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

namespace {

void report_callback_error(const FutureState& state, const std::exception_ptr& error) noexcept {
  try {
    std::string what = "exception calling callback for " + state.describe();
    if (Scheduler* const scheduler = live_in_this_thread(state.owner())) {
      scheduler->report(std::move(what), error);
    } else {
      log(LogLevel::error, what + ": " + describe_exception(error));
    }
  } catch (const std::bad_alloc&) {
    log(LogLevel::error, "a done-callback threw, but no memory is left to say what");
  }
}

}  // namespace

void Callback::notify(FutureState& state) noexcept {
  if (!state.snapshot().has(of_loop)) return call_and_delete(state);
  state_ = StateRef<FutureState>::share(state);
  static_cast<Scheduler*>(state.owner())->post(*this);
}

void Callback::notify_late(FutureState& state) noexcept {
  const Scheduler* const scheduler = live_in_this_thread(state.owner());
  if (scheduler && !scheduler->closed()) {
    notify(state);
  } else {
    call_and_delete(state);
  }
}

void Callback::run() noexcept {
  const auto state = std::move(state_);
  auto context = std::move(context_);
  const ContextScope scope(context);
  call_and_delete(*state);
}

void Callback::call_and_delete(FutureState& state) noexcept {
  const std::unique_ptr<Callback, void (*)(Callback*)> self(this,
                                                            [](Callback* c) { c->removed(); });
  try {
    call(state);
  } catch (...) {
    report_callback_error(state, std::current_exception());
  }
}

std::string Callback::describe() const { return "done-callback of " + state_->describe(); }

}  // namespace plait::detail
