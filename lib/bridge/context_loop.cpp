// How an io_context that somebody else runs gives a loop its turns.
#include <plait/bridge/asio.hpp>

#include <stdexcept>

#include <plait/bridge/detail/handler_memory.hpp>
#include <plait/loop/detail/loop_core.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "loop/selector.hpp"

namespace plait::detail {

// A turn is a handler. After it either the next one is posted, or the inbox says that the loop
// sleeps: then wake() posts one, or the timer runs it.
class ContextDriver final : public LoopDriver, public std::enable_shared_from_this<ContextDriver> {
 public:
  ContextDriver(LoopCore& core, boost::asio::io_context& context)
      : core_(&core), context_(context), timer_(context) {}

  void wake() noexcept override {
    boost::asio::post(context_, WithMemory<Turn>(memory_, Turn(shared_from_this())));
  }
  /// Runs in: the thread that runs the context, or nobody does.
  void stop() {
    core_->set_driver(nullptr);
    core_ = nullptr;
    timer_.cancel();
    work_.reset();
  }

 private:
  struct Turn {
    std::shared_ptr<ContextDriver> driver;
    void operator()() const { driver->run_turn(); }
  };

  void run_turn() {
    if (!core_) return;
    const LoopTurn turn = core_->run_turn();
    if (!core_) return;  // stopped by one of the loop's callbacks
    keep_context_running(core_->first_task() != nullptr);
    if (turn.more) return wake();
    arm(turn.next);
  }
  // The context's run() must not end while tasks wait for what it does not know.
  void keep_context_running(bool keep) {
    if (keep && !work_) work_.emplace(context_.get_executor());
    if (!keep) work_.reset();
  }
  void arm(Deadline deadline) {
    if (deadline == armed_) return;
    armed_ = deadline;
    if (!deadline) return void(timer_.cancel());
    timer_.expires_at(*deadline);
    timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
      if (error) return;
      self->armed_.reset();
      self->run_turn();
    });
  }

  LoopCore* core_;  // null: stopped
  boost::asio::io_context& context_;
  HandlerMemory memory_;
  boost::asio::steady_timer timer_;
  Deadline armed_;  // for when the timer is set
  std::optional<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>> work_;
};

}  // namespace plait::detail

namespace plait::aio {
namespace {

LoopOptions checked(LoopOptions options) {
  if (!options.virtual_time) return options;
  throw std::invalid_argument(
      "ContextLoop: an io_context that somebody else runs knows no virtual time");
}

}  // namespace

ContextLoop::ContextLoop(boost::asio::io_context& context, LoopOptions options)
    : loop_(checked(options)) {
  auto& core = plait::detail::core_of(loop_);
  core.set_selector(std::make_unique<plait::detail::Selector>(core, context));
  driver_ = std::make_shared<plait::detail::ContextDriver>(core, context);
  core.set_driver(driver_.get());
  driver_->wake();
}

ContextLoop::~ContextLoop() {
  driver_->stop();
  loop_.close();
}

}  // namespace plait::aio
