// Barrier.
#include <stdexcept>

#include <plait/executors/register_exception.hpp>
#include <plait/loop/locks.hpp>

namespace plait::detail {
namespace {

// It comes back from worker processes as what it is.
[[maybe_unused]] const bool travels = register_exception<aio::BrokenBarrierError>();

}  // namespace

//            the last one comes               the last one has left
//   filling ─────────────────────▶ draining ─────────────────────▶ filling
//      └──────────── reset() ────────▶ resetting ──────────────────┘
//   broken: after abort(), until reset() when nobody is inside
//
// Who comes while it is draining or resetting is not inside yet. Loop thread only.

class BarrierState {
 public:
  explicit BarrierState(std::size_t parties) : parties_(parties) {}

  static Coroutine<std::size_t> pass(std::shared_ptr<BarrierState> barrier);
  void reset();
  void abort();
  std::size_t parties() const noexcept { return parties_; }
  std::size_t n_waiting() const noexcept { return phase_ == Phase::filling ? inside_ : 0; }
  bool broken() const noexcept { return phase_ == Phase::broken; }
  void break_up() noexcept;

 private:
  enum class Phase { filling, draining, resetting, broken };
  class Stay;

  bool leaving() const noexcept { return phase_ == Phase::draining || phase_ == Phase::resetting; }
  void leave() noexcept;
  void check_here() const {
    waiting_.check_here();
    blocked_.check_here();
  }

  const std::size_t parties_;
  Phase phase_ = Phase::filling;
  std::size_t inside_ = 0;
  std::size_t next_index_ = 0;            // for who leaves next; so no two get the same
  SignalLine waiting_{"Barrier", false};  // for the last one
  SignalLine blocked_{"Barrier", false};  // for those of the last round to leave
};

// Somebody is inside, for as long as this lives.
class BarrierState::Stay {
 public:
  explicit Stay(BarrierState& barrier) noexcept : barrier_(barrier) { ++barrier.inside_; }
  Stay(const Stay&) = delete;
  Stay& operator=(const Stay&) = delete;
  ~Stay() { barrier_.leave(); }

 private:
  BarrierState& barrier_;
};

Coroutine<std::size_t> BarrierState::pass(std::shared_ptr<BarrierState> barrier) {
  BarrierState& self = *barrier;
  self.check_here();
  while (self.leaving()) {
    co_await make_coroutine<void>(new SignalWait<void>(self.blocked_, "Barrier.wait()"));
  }
  if (self.broken()) throw aio::BrokenBarrierError("Barrier aborted");
  const Stay stay(self);
  if (self.inside_ == self.parties_) {
    self.phase_ = Phase::draining;
    self.next_index_ = 0;
    self.waiting_.wake_all();
    co_return self.parties_ - 1;
  }
  co_await make_coroutine<void>(new SignalWait<void>(self.waiting_, "Barrier.wait()"));
  if (self.phase_ != Phase::draining) {
    throw aio::BrokenBarrierError("Abort or reset of barrier");
  }
  co_return self.next_index_++;
}

void BarrierState::leave() noexcept {
  if (--inside_ > 0 || !leaving()) return;
  phase_ = Phase::filling;
  blocked_.wake_all();
}

void BarrierState::reset() {
  check_here();
  phase_ = inside_ > 0 ? Phase::resetting : Phase::filling;
  waiting_.wake_all();
}

void BarrierState::abort() {
  check_here();
  break_up();
}

void BarrierState::break_up() noexcept {
  phase_ = Phase::broken;
  waiting_.wake_all();
  blocked_.wake_all();
}

namespace {

Coroutine<> reset_barrier(std::shared_ptr<BarrierState> barrier) {
  barrier->reset();
  co_return;
}

Coroutine<> abort_barrier(std::shared_ptr<BarrierState> barrier) {
  barrier->abort();
  co_return;
}

}  // namespace

}  // namespace plait::detail

namespace plait::aio {

Barrier::Barrier(std::size_t parties) : state_(std::make_shared<detail::BarrierState>(parties)) {
  if (parties == 0 || parties > static_cast<std::size_t>(-1) / 2) {
    throw std::invalid_argument("Barrier parties must be >= 1, and not huge");
  }
}

Barrier::~Barrier() { state_->break_up(); }

Coroutine<std::size_t> Barrier::wait() { return detail::BarrierState::pass(state_); }

Coroutine<> Barrier::reset() { return detail::reset_barrier(state_); }

Coroutine<> Barrier::abort() { return detail::abort_barrier(state_); }

std::size_t Barrier::parties() const noexcept { return state_->parties(); }

std::size_t Barrier::n_waiting() const noexcept { return state_->n_waiting(); }

bool Barrier::broken() const noexcept { return state_->broken(); }

}  // namespace plait::aio
