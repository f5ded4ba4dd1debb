// How an executor's thread goes on with a coroutine, and how its strands wait and are cancelled.
#include <plait/core/detail/coroutine_job.hpp>

#include <utility>

#include <plait/core/cancelled_error.hpp>
#include <plait/core/coroutine.hpp>
#include <plait/core/detail/need_search.hpp>

#include "core/mutex.hpp"
#include "core/strand.hpp"

namespace plait::detail {

/// The strands of a job that wait or are queued.
struct CoroutineJob::Strands {
  void link(Strand& strand) PLAIT_TSA(requires_capability(mutex)) {
    strand.linked_ = true;
    strand.previous_ = nullptr;
    strand.next_ = first;
    if (first) first->previous_ = &strand;
    first = &strand;
  }
  void unlink(Strand& strand) PLAIT_TSA(requires_capability(mutex)) {
    if (!std::exchange(strand.linked_, false)) return;
    if (strand.next_) strand.next_->previous_ = strand.previous_;
    (strand.previous_ ? strand.previous_->next_ : first) = strand.next_;
  }

  Mutex mutex;
  Strand* first PLAIT_TSA(guarded_by(mutex)) = nullptr;
};

// ---------------------------------------------------------------- running

namespace {

// What is forked where the executor has no threads: its caller's thread runs it in the end.
thread_local ForkQueue own_forks;

// True: one of the frames below `leaf` was forked.
bool is_forked(const Frame& leaf) noexcept {
  const Frame* frame = &leaf;
  while (const Frame* const parent = frame->parent()) frame = parent;
  return frame->fork() != nullptr;
}

// All but the `older` ones, one after the other: none of them runs others on top of it, or the
// stack would grow with their number.
void run_own_forks(std::size_t older) noexcept {
  while (own_forks.size() > older) {
    Frame* const frame = own_forks.pop();
    frame->fork()->job().run(*frame, frame->fork()->context(), /*in_turn=*/true);
  }
}

}  // namespace

CoroutineJob::CoroutineJob(FutureState& state, CoroutineHost& host)
    : state_(state), host_(host), strands_(std::make_unique<Strands>()) {}

CoroutineJob::~CoroutineJob() = default;

void CoroutineJob::check_root(Frame& root) {
  if (!root.is_operation()) return;
  const std::unique_ptr<OperationBase> operation(&root.operation());
  throw_needs_loop(*operation);
}

bool CoroutineJob::start(Frame& root) noexcept {
  root.mark_as_root();
  CoroutineHost& host = host_;
  host.coroutine_started();
  const bool ended = drive_strand(root, {}, false);
  if (ended) host.coroutine_ended();
  return ended;
}

void CoroutineJob::run(Frame& leaf, ContextRef context, bool in_turn) noexcept {
  if (!drive_strand(leaf, std::move(context), in_turn)) return;
  CoroutineHost& host = host_;
  host.leave(state_);
  finish();
  host.coroutine_ended();
}

// Once a strand was left, the job may be ended in another thread.
bool CoroutineJob::drive_strand(Frame& leaf, ContextRef context, bool in_turn) noexcept {
  CoroutineHost& host = host_;
  const Execution below = std::exchange(execution, {});
  ForkQueue* const forks = host.fork_queue();
  execution.job = this;
  execution.forks = forks ? forks : &own_forks;
  const std::size_t older = forks ? 0 : own_forks.size();
  bool ended = false;
  {
    const ContextScope scope(context);
    for (Frame* next = &leaf; next && !ended;) {
      host.enter(state_);
      ended = drive(*next);
      if (ended) break;
      host.leave(state_);
      next = std::exchange(execution.stop, nullptr)->leave();
    }
  }
  execution = below;
  if (!forks && !in_turn) run_own_forks(older);  // who called may block for them
  return ended;
}

// ---------------------------------------------------------------- cancellation

void CoroutineJob::request_cancel() noexcept {
  Strand* interrupted = nullptr;
  {
    MutexLock lock(strands_->mutex);
    cancel_requested_ = true;
    for (Strand* strand = strands_->first; strand;) {
      Strand* const next = strand->next_;
      if (!strand->queued_ && strand->wait_.state().remove_waiter(strand->wait_)) {
        strands_->unlink(*strand);
        strand->next_ = std::exchange(interrupted, strand);
      }
      strand = next;
    }
  }
  // Nobody else wakes these, so they live, and the job with them.
  while (interrupted) std::exchange(interrupted, interrupted->next_)->interrupt();
}

std::exception_ptr CoroutineJob::take_cancellation(const Frame& at) noexcept {
  if (!is_forked(at)) cancel_requested_ = false;
  return std::make_exception_ptr(CancelledError());
}

// What a linked strand waits for lives at least until that is unlinked.
void CoroutineJob::find_strands(NeedSearch& search) {
  search.watch(state_);
  MutexLock lock(strands_->mutex);
  for (Strand* strand = strands_->first; strand; strand = strand->next_) {
    FutureState& need = strand->queued_ ? *strand : strand->wait_.state();
    search.add(StateRef<FutureState>::share(need));
  }
}

// ---------------------------------------------------------------- strands

Strand::Strand(CoroutineJob& job, Frame& leaf, FutureWait& wait) noexcept
    : FutureState(job.state().owner(), 1, is_strand), job_(job), leaf_(leaf), wait_(wait) {}

std::string Strand::describe() const { return job_.state().describe(); }

// False: what it waits for is done.
bool Strand::wait() noexcept {
  CoroutineJob::Strands& strands = *job_.strands_;
  MutexLock lock(strands.mutex);
  if (!wait_.state().add_waiter(wait_)) return false;
  strands.link(*this);
  job_.state().needs_changed();
  return true;
}

// A request that came before the wait goes to what is awaited, which is then waited for.
Frame* Strand::leave() noexcept {
  Frame& leaf = leaf_;
  Fork::disown(leaf);
  context_ = share_context();
  CoroutineJob::Strands& strands = *job_.strands_;
  bool waits = false, cancelled = false;
  {
    MutexLock lock(strands.mutex);
    cancelled = job_.cancel_requested();
    if (!cancelled && (waits = wait_.state().add_waiter(wait_))) {
      strands.link(*this);
      job_.state().needs_changed();
    }
  }
  if (cancelled && !wait_.state().done()) {
    auto error = job_.take_cancellation(leaf);
    if (wait_.cancel_awaited()) {
      waits = wait();
    } else {
      wait_.fail(std::move(error));
    }
  }
  if (waits) return nullptr;
  release();
  return &leaf;
}

// Runs in: any thread; the strand was taken off what it waits for.
void Strand::interrupt() noexcept {
  auto error = job_.take_cancellation(leaf_);
  if (wait_.cancel_awaited()) {
    if (!wait()) wake();
  } else {
    wait_.fail(std::move(error));
    wake();
  }
}

// The mutex is held until the strand is queued: before that nobody goes on with it, so that its job
// and the executor live.
void Strand::wake() noexcept {
  CoroutineJob::Strands& strands = *job_.strands_;
  bool queued = false;
  {
    MutexLock lock(strands.mutex);
    if (!linked_) strands.link(*this);
    queued_ = true;
    queued = job_.host().resume(*this);
    job_.state().needs_changed();
  }
  if (!queued) {
    start();
    end(invoke(), true);
  }
}

Phase Strand::invoke() noexcept {
  {
    CoroutineJob::Strands& strands = *job_.strands_;
    MutexLock lock(strands.mutex);
    strands.unlink(*this);
  }
  job_.run(leaf_, std::move(context_));
  return Phase::finished;
}

}  // namespace plait::detail
