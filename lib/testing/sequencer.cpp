// How tasks and threads wait for their turn, and how a missing one is noticed.
#include <plait/testing/sequencer.hpp>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <plait/core/detail/fiber.hpp>
#include <plait/core/errors.hpp>

namespace plait::detail {

class ReachOperation;

/// What a Sequencer and those who wait share. Any thread.
class SequencerState {
 public:
  SequencerState(std::size_t points, testing::SequencerOptions options)
      : options_(options), points_(points) {
    threads_.reserve(points);
    tasks_.reserve(points);
  }
  SequencerState(const SequencerState&) = delete;
  SequencerState& operator=(const SequencerState&) = delete;
  ~SequencerState();

  bool with_threads() const { return options_.with_threads; }
  std::size_t reached() const;
  void check_all_reached() const;
  void reach_blocking(std::size_t point);
  /// False: its turn is still to come, and somebody watches whether it does.
  bool reach(std::size_t point);
  /// False: its turn has come since reach(), so that it does not wait.
  bool wait(ReachOperation& task) noexcept;
  /// False: it does not wait any more, so it was woken.
  bool stop_waiting(ReachOperation& task) noexcept;

 private:
  using Lock = std::unique_lock<std::mutex>;

  void check(std::size_t point) const;
  ReachOperation* take_task(std::size_t point) noexcept;
  void pass() noexcept;
  void watch();
  std::string missing() const;

  const testing::SequencerOptions options_;
  const std::size_t points_;
  mutable std::mutex mutex_;            // guards what follows
  std::condition_variable changed_;     // told of every change
  std::size_t next_ = 0;                // the first point that was not reached
  std::vector<std::size_t> threads_;    // the points that threads wait for
  std::vector<ReachOperation*> tasks_;  // those that wait
  bool over_ = false;                   // the watch has to end
  std::thread watch_;                   // made when the first task has to wait
};

class ReachOperation final : public Operation<void> {
 public:
  ReachOperation(std::shared_ptr<SequencerState> state, std::size_t point)
      : state_(std::move(state)), point_(point) {}
  ~ReachOperation() override { state_->stop_waiting(*this); }

  bool ready() override { return state_->reach(point_); }
  void suspend() noexcept override {
    if (state_->with_threads()) fiber->scheduler().expect_outside(1);
    const bool waits = state_->wait(*this);
    fiber->suspend_for_grant(*this, *this);
    if (!waits) fiber->wake();
  }
  Interrupted interrupt() noexcept override {
    return state_->stop_waiting(*this) ? Interrupted::gave_up : Interrupted::too_late;
  }
  bool detach() noexcept override { return state_->stop_waiting(*this); }
  void accept() noexcept override {
    if (state_->with_threads()) fiber->scheduler().expect_outside(-1);
    if (error_) result.set_error(std::move(error_));
  }
  void fail(std::exception_ptr error) noexcept override {
    accept();
    Operation::fail(std::move(error));
  }
  std::string what() const override {
    return "Sequencer.reach(" + std::to_string(point_) + "), " + std::to_string(state_->reached()) +
           " points were reached";
  }

  std::size_t point() const { return point_; }
  /// Runs in: any thread, which has just taken it out of the list and keeps that locked.
  void wake(std::exception_ptr error) noexcept {
    error_ = std::move(error);
    fiber->wake_from_any_thread();
  }

 private:
  const std::shared_ptr<SequencerState> state_;
  const std::size_t point_;
  std::exception_ptr error_;  // written by who wakes it, before that
};

// ---------------------------------------------------------------- turns

SequencerState::~SequencerState() {
  {
    const Lock lock(mutex_);
    over_ = true;
    changed_.notify_all();
  }
  if (watch_.joinable()) watch_.join();
}

void SequencerState::check(std::size_t point) const {
  const auto refuse = [&](const std::string& why) {
    throw std::invalid_argument("Sequencer: point " + std::to_string(point) + " " + why);
  };
  if (point >= points_) refuse("is none of the " + std::to_string(points_) + " there are");
  if (point < next_) refuse("was reached before");
  const bool waited_for = std::ranges::find(threads_, point) != threads_.end() ||
                          std::ranges::find(tasks_, point, &ReachOperation::point) != tasks_.end();
  if (waited_for) refuse("is waited for by two: each has its own");
}

ReachOperation* SequencerState::take_task(std::size_t point) noexcept {
  const auto found = std::ranges::find(tasks_, point, &ReachOperation::point);
  if (found == tasks_.end()) return nullptr;
  ReachOperation* const task = *found;
  tasks_.erase(found);
  return task;
}

// The next point is reached, and then those that wait to be.
void SequencerState::pass() noexcept {
  for (bool more = true; more;) {
    ++next_;
    ReachOperation* const task = take_task(next_);
    if (task) task->wake(nullptr);
    more = task || std::erase(threads_, next_) > 0;
  }
  changed_.notify_all();
}

void SequencerState::reach_blocking(std::size_t point) {
  Lock lock(mutex_);
  check(point);
  if (point == next_) return pass();
  threads_.push_back(point);
  for (auto seen = next_; next_ <= point; seen = next_) {
    if (changed_.wait_for(lock, options_.timeout, [&] { return next_ != seen; })) continue;
    const std::string text = missing();
    std::erase(threads_, point);
    throw TimeoutError(text);
  }
}

bool SequencerState::reach(std::size_t point) {
  const Lock lock(mutex_);
  check(point);
  if (point == next_) return pass(), true;
  if (!watch_.joinable()) watch_ = std::thread([this] { watch(); });
  return false;
}

bool SequencerState::wait(ReachOperation& task) noexcept {
  const Lock lock(mutex_);
  if (task.point() <= next_) {
    if (task.point() == next_) pass();
    return false;
  }
  tasks_.push_back(&task);
  changed_.notify_all();
  return true;
}

bool SequencerState::stop_waiting(ReachOperation& task) noexcept {
  const Lock lock(mutex_);
  return std::erase(tasks_, &task) > 0;
}

// ---------------------------------------------------------------- what is missing

std::size_t SequencerState::reached() const {
  const Lock lock(mutex_);
  return next_;
}

void SequencerState::check_all_reached() const {
  const auto done = reached();
  if (done == points_) return;
  throw RuntimeError("Sequencer: point " + std::to_string(done) + " of " + std::to_string(points_) +
                     " was never reached");
}

std::string SequencerState::missing() const {
  std::vector<std::size_t> waiting = threads_;
  for (const auto* task : tasks_) waiting.push_back(task->point());
  std::ranges::sort(waiting);
  std::string text = "Sequencer: point " + std::to_string(next_) +
                     " is missing, nobody reached it in " +
                     std::to_string(std::chrono::duration<double>(options_.timeout).count()) +
                     " s; for it wait those at";
  for (const auto point : waiting) (text += ' ') += std::to_string(point);
  return text;
}

// Runs in: a thread of its own, as a loop may have virtual time.
void SequencerState::watch() {
  Lock lock(mutex_);
  while (!over_) {
    changed_.wait(lock, [&] { return over_ || !tasks_.empty(); });
    const auto seen = next_;
    if (changed_.wait_for(lock, options_.timeout, [&] { return over_ || next_ != seen; })) continue;
    if (tasks_.empty()) continue;
    const auto error = std::make_exception_ptr(TimeoutError(missing()));
    for (ReachOperation* const task : tasks_) task->wake(error);
    tasks_.clear();
  }
}

}  // namespace plait::detail

namespace plait::testing {

Sequencer::Sequencer(std::size_t points, SequencerOptions options)
    : state_(std::make_shared<detail::SequencerState>(points, options)) {}

Sequencer::~Sequencer() = default;

Coroutine<> Sequencer::reach(std::size_t point) {
  return detail::make_coroutine<void>(new detail::ReachOperation(state_, point));
}

void Sequencer::reach_blocking(std::size_t point) { state_->reach_blocking(point); }
std::size_t Sequencer::reached() const { return state_->reached(); }
void Sequencer::check_all_reached() const { state_->check_all_reached(); }

}  // namespace plait::testing
