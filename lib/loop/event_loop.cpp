// EventLoop as its users see it: a handle to the engine.
#include <plait/loop/event_loop.hpp>

#include <csignal>

#include <exception>
#include <stdexcept>

#include <plait/core/errors.hpp>

#include "loop/selector.hpp"

plait::detail::LoopCore& plait::detail::core_of(aio::EventLoop& loop) noexcept {
  return *loop.core_;
}

namespace plait::aio {

EventLoop::EventLoop(LoopOptions options)
    : core_(std::make_shared<detail::LoopCore>(*this, options)) {}

EventLoop::~EventLoop() {
  if (core_->running()) std::terminate();  // the frames of its run are below on this stack
  core_->close();
  core_->exception_handler = nullptr;  // futures of this loop may live on; it would get no loop
}

void EventLoop::run_until_done(detail::FutureState& state) { core_->run_until_done(state); }
void EventLoop::run_forever() { core_->run_forever(); }
void EventLoop::stop() { core_->stop(); }
void EventLoop::close() { core_->close(); }
bool EventLoop::is_running() const { return core_->running(); }
bool EventLoop::is_closed() const { return core_->closed(); }
void EventLoop::check_can_run() const { core_->check_can_run(); }

void EventLoop::push_from_any_thread(detail::LoopCallback& callback) {
  if (detail::running_loop == core_.get()) {
    core_->push(callback);
  } else if (!core_->push_from_outside(callback)) {
    callback.abandon();
    throw RuntimeError("Event loop is closed");
  }
}

void EventLoop::set_default_executor(std::shared_ptr<Executor> ex) {
  core_->check_usable();
  core_->default_executor().set(std::move(ex));
}

// ---------------------------------------------------------------- errors and debugging

void EventLoop::set_exception_handler(
    std::function<void(EventLoop&, const ExceptionContext&)> handler) {
  core_->exception_handler = std::move(handler);
}

std::function<void(EventLoop&, const ExceptionContext&)> EventLoop::get_exception_handler() const {
  return core_->exception_handler;
}

void EventLoop::call_exception_handler(const ExceptionContext& context) {
  core_->report(context.message, context.exception);
}

void EventLoop::default_exception_handler(const ExceptionContext& context) {
  detail::LoopCore::log_report(context);
}

void EventLoop::set_debug(bool on) { core_->set_debug(on); }
bool EventLoop::get_debug() const { return core_->in_debug_mode(); }
void EventLoop::set_slow_callback_duration(Duration d) { core_->slow_callback_duration = d; }

void EventLoop::set_trace(
    std::function<void(std::uint64_t iteration, const std::vector<std::string>& ready)> fn) {
  core_->trace = std::move(fn);
}

// ---------------------------------------------------------------- descriptors and signals

void EventLoop::add_reader(int fd, std::function<void()> fn) {
  detail::refuse_null(fn, "add_reader()");
  core_->selector().watch(fd, detail::Selector::Direction::read, std::move(fn));
}

void EventLoop::add_writer(int fd, std::function<void()> fn) {
  detail::refuse_null(fn, "add_writer()");
  core_->selector().watch(fd, detail::Selector::Direction::write, std::move(fn));
}

bool EventLoop::remove_reader(int fd) {
  auto* const selector = core_->selector_or_null();
  return selector && selector->unwatch(fd, detail::Selector::Direction::read);
}

bool EventLoop::remove_writer(int fd) {
  auto* const selector = core_->selector_or_null();
  return selector && selector->unwatch(fd, detail::Selector::Direction::write);
}

namespace {

void check_signal(int sig) {
  if (sig >= 1 && sig < NSIG) return;
  throw std::invalid_argument("sig " + std::to_string(sig) + " is out of range(1, " +
                              std::to_string(NSIG) + ")");
}

}  // namespace

void EventLoop::add_signal_handler(int sig, std::function<void()> fn) {
  check_signal(sig);
  detail::refuse_null(fn, "add_signal_handler()");
  core_->selector().watch_signal(sig, std::move(fn));
}

bool EventLoop::remove_signal_handler(int sig) {
  check_signal(sig);
  auto* const selector = core_->selector_or_null();
  return selector && selector->unwatch_signal(sig);
}

boost::asio::io_context& EventLoop::context() { return core_->selector().context(); }

// ---------------------------------------------------------------- which loop

namespace {
constinit thread_local EventLoop* set_loop = nullptr;
}

EventLoop& get_running_loop() { return detail::require_running_core().loop(); }

EventLoop* get_running_loop_or_null() noexcept {
  auto* const core = detail::running_core();
  return core ? &core->loop() : nullptr;
}

EventLoop& get_event_loop() {
  if (EventLoop* const running = get_running_loop_or_null()) return *running;
  if (set_loop) return *set_loop;
  throw RuntimeError(
      "There is no current event loop in this thread: make one with set_event_loop()");
}

std::unique_ptr<EventLoop> new_event_loop(LoopOptions options) {
  return std::make_unique<EventLoop>(options);
}

void set_event_loop(EventLoop* loop) { set_loop = loop; }

// ---------------------------------------------------------------- tasks

std::optional<AnyTask> current_task() {
  auto* const task = detail::require_running_core().current_task();
  return task ? std::optional(AnyTask(*task)) : std::nullopt;
}

std::vector<AnyTask> all_tasks() { return all_tasks(get_running_loop()); }

std::vector<AnyTask> all_tasks(EventLoop& loop) {
  std::vector<AnyTask> tasks;
  for (auto* task = loop.core_->first_task(); task; task = detail::LoopCore::next_task(*task)) {
    tasks.push_back(AnyTask(*task));
  }
  return tasks;
}

}  // namespace plait::aio
