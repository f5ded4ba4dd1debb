// How readiness and signals become handles of the loop.
#include "loop/selector.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <plait/core/detail/context_state.hpp>
#include <plait/core/errors.hpp>
#include <plait/loop/detail/loop_core.hpp>
#include <plait/loop/event_loop.hpp>

#include "loop/watched_descriptor.hpp"

namespace plait::detail {

Selector::Selector(LoopCore& core)
    : core_(core),
      own_context_(std::make_unique<boost::asio::io_context>(1)),
      context_(*own_context_),
      work_(boost::asio::make_work_guard(context_)),
      deadline_(context_),
      interrupts_(context_) {
  const int fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), "eventfd()");
  interrupts_.assign(fd);
  watch_interrupts();
}

Selector::Selector(LoopCore& core, boost::asio::io_context& context)
    : core_(core), context_(context), deadline_(context_), interrupts_(context_) {}

// stop() needs no memory; wait() restarts the context.
void Selector::interrupt() noexcept { context_.stop(); }

void Selector::interrupt_from_signal() noexcept {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(interrupts_.native_handle(), &one, sizeof(one));
}

void Selector::watch_interrupts() {
  interrupts_.async_wait(boost::asio::posix::descriptor_base::wait_read,
                         [this](const boost::system::error_code& error) {
                           if (error) return;
                           std::uint64_t count = 0;
                           [[maybe_unused]] const auto got =
                               ::read(interrupts_.native_handle(), &count, sizeof(count));
                           watch_interrupts();
                         });
}

// What the user's own Asio objects throw is treated as what callbacks throw.
template <class Run>
void Selector::run_handlers(Run run) {
  try {
    run();
  } catch (...) {
    core_.report("Exception in a handler of the loop's io_context", std::current_exception());
  }
}

bool Selector::poll() {
  context_.restart();
  std::size_t handlers = 1;  // one that throws counts, too
  run_handlers([&] { handlers = context_.poll(); });
  return handlers > 0;
}

void Selector::wait(Deadline deadline) {
  if (deadline) arm_deadline(*deadline);
  // Not restarted before: a stop() that has come already must end this wait.
  run_handlers([this] { context_.run_one(); });
  context_.restart();
}

// A timer that is set for an earlier time than is now wanted stays: a wait that ends early does no
// harm, and most ends of waits are events.
void Selector::arm_deadline(Clock::time_point deadline) {
  if (armed_ && *armed_ <= deadline) return;
  armed_ = deadline;
  deadline_.expires_at(deadline);
  deadline_.async_wait([this](const boost::system::error_code& error) {
    if (!error) armed_.reset();
  });
}

bool Selector::watches_anything() {
  return !watched_.empty() || !signals_.empty() || has_work_of_others();
}

// A context keeps to itself how much work it has, but without any it stops. So the selector's own,
// work_ and the wait for interrupts_, is taken away for a moment.
bool Selector::has_work_of_others() {
  constexpr int own_work = 2;
  const auto executor = context_.get_executor();
  context_.restart();
  for (int i = 0; i < own_work; ++i) executor.on_work_finished();
  const bool others = !context_.stopped();
  for (int i = 0; i < own_work; ++i) executor.on_work_started();
  context_.restart();
  return others;
}

// ---------------------------------------------------------------- descriptors

namespace {

// What sees the context variables as they are now, whenever it is called.
std::shared_ptr<Selector::Callback> in_present_context(Selector::Callback callback) {
  return std::make_shared<Selector::Callback>(
      [callback = std::move(callback), context = share_context()]() mutable {
        const ContextScope scope(context);
        callback();
      });
}

}  // namespace

// A callback that is wanted whenever its side of a descriptor is ready.
struct Selector::Side {
  std::shared_ptr<Callback> callback;  // null: nobody asks
  bool armed = false;                  // Asio watches it
};

struct Selector::Watched {
  explicit Watched(boost::asio::io_context& context, int fd)
      : descriptor(watch_descriptor(context, fd)) {}
  Side& side(Direction direction) { return direction == Direction::read ? read : write; }

  const WatchedDescriptor descriptor;
  Side read, write;
};

// Somebody else's context may go on with what was started here: the handlers must find nothing to
// do that needs the selector.
Selector::~Selector() {
  while (!resources_.empty()) resources_.pop_front().loop_closing();
  for (auto& [fd, watched] : watched_) {
    watched->read.callback.reset();
    watched->write.callback.reset();
    stop_watching(*watched->descriptor);
  }
  while (in_kernel_ > 0) {
    context_.restart();
    run_handlers([this] { context_.run_one(); });
  }
}

// Runs the callback in its turn, then watches again: readiness is level-triggered.
class Selector::Event final : public Runnable {
 public:
  Event(Selector& selector, std::shared_ptr<Watched> watched, Direction direction)
      : selector_(selector),
        watched_(std::move(watched)),
        direction_(direction),
        callback_(watched_->side(direction).callback) {}

  void run() noexcept override {
    const std::unique_ptr<Event> self(this);
    const Side& side = watched_->side(direction_);
    if (!callback_ || side.callback != callback_) return selector_.arm(watched_, direction_);
    try {
      (*callback_)();
    } catch (...) {
      selector_.core_.report("Exception in callback of a descriptor", std::current_exception());
    }
    selector_.arm(watched_, direction_);
  }
  void abandon() noexcept override { delete this; }
  std::string describe() const override {
    return direction_ == Direction::read ? "reader" : "writer";
  }

 private:
  Selector& selector_;
  const std::shared_ptr<Watched> watched_;
  const Direction direction_;
  const std::shared_ptr<Callback> callback_;
};

void Selector::arm(const std::shared_ptr<Watched>& watched, Direction direction) {
  Side& side = watched->side(direction);
  if (!side.callback || side.armed) return;
  side.armed = true;
  const auto kind = direction == Direction::read ? boost::asio::posix::descriptor_base::wait_read
                                                 : boost::asio::posix::descriptor_base::wait_write;
  watched->descriptor->async_wait(
      kind, [this, watched, direction](const boost::system::error_code& error) {
        watched->side(direction).armed = false;
        if (!error && watched->side(direction).callback) {
          core_.post(*new Event(*this, watched, direction));
        }
      });
}

namespace {

// Asio would take a regular file, too, and then never call back.
void check_watchable(int fd) {
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  epoll_event event{};
  const bool refused = ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0;
  const int error = errno;
  ::close(epoll);
  if (!refused) return;
  throw std::system_error(error, std::generic_category(),
                          "the loop cannot watch descriptor " + std::to_string(fd));
}

}  // namespace

void Selector::add_resource(LoopResource& resource, int fd) {
  owned_.insert(fd);
  resources_.push_back(resource);
}

void Selector::check_not_owned(int fd) const {
  if (!owned_.contains(fd)) return;
  throw RuntimeError("descriptor " + std::to_string(fd) + " is used by a transport or a server");
}

void Selector::watch(int fd, Direction direction, Callback callback) {
  check_not_owned(fd);
  auto found = watched_.find(fd);
  if (found == watched_.end()) {
    check_watchable(fd);
    found = watched_.emplace(fd, std::make_shared<Watched>(context_, fd)).first;
  }
  const auto& watched = found->second;
  watched->side(direction).callback = in_present_context(std::move(callback));
  arm(watched, direction);
}

bool Selector::unwatch(int fd, Direction direction) {
  check_not_owned(fd);
  const auto found = watched_.find(fd);
  if (found == watched_.end() || !found->second->side(direction).callback) return false;
  const auto watched = found->second;
  watched->side(direction).callback.reset();
  const bool other = watched->read.callback || watched->write.callback;
  if (!other) {
    watched_.erase(found);
    stop_watching(*watched->descriptor);
  }
  return true;
}

// ---------------------------------------------------------------- signals

struct Selector::Signal {
  Signal(boost::asio::io_context& context, int number) : set(context, number) {}

  boost::asio::signal_set set;
  std::shared_ptr<Callback> callback;
};

void Selector::watch_signal(int number, Callback callback) {
  auto& signal = signals_[number];
  const bool is_new = !signal;
  try {
    if (is_new) signal = std::make_unique<Signal>(context_, number);
  } catch (const boost::system::system_error&) {
    signals_.erase(number);
    throw RuntimeError("sig " + std::to_string(number) + " cannot be caught");
  }
  signal->callback = in_present_context(std::move(callback));
  if (is_new) arm_signal(number);
}

void Selector::arm_signal(int number) {
  signals_.at(number)->set.async_wait([this, number](const boost::system::error_code& error, int) {
    if (error) return;
    const auto found = signals_.find(number);
    if (found == signals_.end()) return;
    core_.loop().call_soon([callback = found->second->callback] { (*callback)(); });
    arm_signal(number);
  });
}

bool Selector::unwatch_signal(int number) { return signals_.erase(number) > 0; }

}  // namespace plait::detail
