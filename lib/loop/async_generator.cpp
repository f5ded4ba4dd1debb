// The life of an async generator's body, and its end with its loop.
#include <plait/loop/async_generator.hpp>

#include <string>
#include <vector>

#include <plait/core/errors.hpp>
#include <plait/core/generator.hpp>
#include <plait/core/log.hpp>
#include <plait/loop/detail/end_of_state.hpp>
#include <plait/loop/event_loop.hpp>

namespace plait::detail {

AsyncGeneratorState::~AsyncGeneratorState() { destroy_body(); }

void AsyncGeneratorState::destroy_body() noexcept {
  at_ = At::end;
  if (core) core->remove_generator(*this);
  if (Frame* const body = std::exchange(body_, nullptr)) destroy_frame(*body);
}

bool AsyncGeneratorState::begin(const char* who) {
  LoopCore& loop = require_running_core();
  if (at_ == At::running) {
    throw RuntimeError(std::string(who) +
                       ": asynchronous generator is already running: one task at a time can wait "
                       "for it");
  }
  if (at_ == At::end) return false;
  if (at_ == At::start) loop.add_generator(*this);
  at_ = At::running;
  return true;
}

Frame& AsyncGeneratorState::body_in(Frame& parent) noexcept {
  body_->await_by(parent);
  return *body_;
}

void AsyncGeneratorState::finish_step() {
  if (at_ == At::end) destroy_body();
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

void AsyncGeneratorState::abandon_step() noexcept { destroy_body(); }

void AsyncGeneratorState::throw_incoming() {
  if (std::exchange(exit_, false)) throw GeneratorExit();
}

Coroutine<> AsyncGeneratorState::close(StateRef<AsyncGeneratorState> state) {
  if (!state) co_return;
  if (state->at_ == At::start) co_return state->destroy_body();
  if (!state->begin("aclose()")) co_return;
  state->exit_ = true;
  try {
    co_await AsyncGeneratorStep(*state);
  } catch (const GeneratorExit&) {
    co_return;
  }
  if (state->at_ != At::yield) co_return;
  throw RuntimeError(
      "async generator ignored GeneratorExit: after aclose() its body may return or throw, but not "
      "yield");
}

// ---------------------------------------------------------------- the loop's list

void LoopCore::add_generator(AsyncGeneratorState& generator) noexcept {
  if (generators_shut_down_) {
    log_made(LogLevel::warning, [] {
      return std::string(
          "an asynchronous generator was started after shutdown_asyncgens(): nobody will close it");
    });
  }
  generator.core = this;
  generator.next = generators_;
  if (generators_) generators_->previous = &generator;
  generators_ = &generator;
}

void LoopCore::remove_generator(AsyncGeneratorState& generator) noexcept {
  generator.core = nullptr;
  if (generator.next) generator.next->previous = generator.previous;
  (generator.previous ? generator.previous->next : generators_) = generator.next;
  generator.previous = generator.next = nullptr;
}

void LoopCore::forget_generators() noexcept {
  while (generators_) remove_generator(*generators_);
}

namespace {

using TaskRef = StateRef<FutureState>;

Coroutine<> close_all(aio::EventLoop& loop, std::vector<StateRef<AsyncGeneratorState>> open) {
  std::vector<TaskRef> closing;
  for (auto& generator : open) {
    const aio::Task<> task = loop.create_task(AsyncGeneratorState::close(std::move(generator)));
    closing.push_back(TaskRef::share(*state_of(static_cast<const Future<>&>(task))));
  }
  for (const TaskRef& task : closing) co_await EndOfState(*task);
  for (const TaskRef& task : closing) {
    if (task->snapshot().phase() != Phase::finished || !task->error()) continue;
    loop.call_exception_handler(
        {"an error occurred during closing of an asynchronous generator", task->retrieve_error()});
  }
}

}  // namespace

Coroutine<> LoopCore::shut_down_generators() {
  generators_shut_down_ = true;
  std::vector<StateRef<AsyncGeneratorState>> open;
  for (auto* generator = generators_; generator; generator = generator->next) {
    open.push_back(StateRef<AsyncGeneratorState>::share(*generator));
  }
  return close_all(loop_, std::move(open));
}

}  // namespace plait::detail

namespace plait::aio {

Coroutine<> EventLoop::shutdown_asyncgens() { co_await core_->shut_down_generators(); }

}  // namespace plait::aio
