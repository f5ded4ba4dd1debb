// One thread of a pool.
#include "executors/worker.hpp"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include <plait/core/detail/coroutine_job.hpp>

#include "core/futex.hpp"
#include "executors/thread_pool.hpp"

namespace plait::detail {
namespace {

// Before one of this many jobs a worker looks after those that the usual order could pass over for
// ever: of low priority, or from outside where the workers' own never end.
constexpr std::uint32_t fairness_interval = 256;

// A job that takes less than this is not worth taking alone.
constexpr Duration short_job = std::chrono::microseconds(1);

// Longer than any processor takes to make a store visible.
constexpr Duration nap = std::chrono::milliseconds(1);

thread_local constinit Worker* this_worker = nullptr;

// The kernel keeps 15 bytes of a name; the number at its end is worth more than the prefix's tail.
void set_thread_name(const std::string& name) {
  static constexpr std::size_t max_length = 15;
  std::string shown = name;
  if (shown.size() > max_length) {
    const std::string number = name.substr(name.rfind('_'));
    shown = name.substr(0, max_length - std::min(max_length, number.size())) + number;
  }
  pthread_setname_np(pthread_self(), shown.substr(0, max_length).c_str());
}

// A stop request for the job below must not reach what runs on top, and must not be forgotten
// either.
class HeldBack {
 public:
  explicit HeldBack(const FutureState* below)
      : below_(below),
        was_to_stop_(requested()),
        taken_(was_to_stop_ && take_back_interruption()) {}
  // Whether the thread has to be interrupted now that the job below goes on.
  bool due() const { return taken_ || (!was_to_stop_ && requested()); }

 private:
  bool requested() const { return below_ && below_->snapshot().has(stop_requested); }

  const FutureState* const below_;  // null: there is none
  const bool was_to_stop_, taken_;
};

}  // namespace

// ---------------------------------------------------------------- its thread

Worker* Worker::current(const ThreadPool& pool) noexcept {
  return working_thread.owner == &pool ? this_worker : nullptr;
}

void Worker::start(std::shared_ptr<ThreadPool> pool, const std::string& name,
                   std::size_t stack_size) {
  boost::thread::attributes attributes;
  if (stack_size != 0) attributes.set_stack_size(stack_size);
  thread_ = boost::thread(attributes, [this, name, pool = std::move(pool)]() mutable {
    main(name);
    pool.reset();  // may end the pool, and with it this worker
  });
}

void Worker::join() {
  const boost::this_thread::disable_interruption no_interruption;
  thread_.join();
}

void Worker::main(const std::string& name) {
  pool_.worker_arrived();
  set_thread_name(name);
  this_worker = this;
  forks_.set_helpers_wanted(pool_.helpers_wanted());
  working_thread.owner = &pool_;
  if (pool_.initialize_worker()) {
    do {
      while (FutureState* const job = next()) run_queued(*job);
      hand_over();
    } while (pool_.needs_last_worker());
  }
  working_thread.owner = nullptr;
  pool_.worker_left(*this);
}

// The jobs that it was left with go to the others. If the pool was closed meanwhile they may have
// ended, having found nothing: then the last worker goes on, see ThreadPool::needs_last_worker().
void Worker::hand_over() {
  while (FutureState* const job = jobs_.pop()) pool_.inbox().put_back(*job);
  pool_.idle().notify_one();  // [SLEEP-2]
}

void Worker::unpark() noexcept {
  woken_at_ = Clock::now();
  woken_ = 1;
  futex_wake(futex_address(), 1);
}

// True: unpark() was called.
bool Worker::park_for(Duration time) noexcept {
  const auto deadline = Clock::now() + time;
  while (woken_.exchange(0) == 0) {
    if (!futex_wait(futex_address(), 0, deadline)) return woken_.exchange(0) != 0;
  }
  return true;
}

void Worker::park() noexcept {
  while (woken_.exchange(0) == 0) futex_wait(futex_address(), 0, {});
}

void Worker::interrupt_if_running(const FutureState& job) noexcept {
  if (current_.load() == &job) thread_.interrupt();
}

// ---------------------------------------------------------------- finding work

// Null: the worker is to end.
FutureState* Worker::next() {
  for (;;) {
    if (run_fork()) continue;
    if (pool_.retire_surplus()) return nullptr;
    const bool sealed = pool_.sealed() && !pool_.runs_coroutines();
    if (++started_ % fairness_interval == 0) {
      pool_.inbox().refill(jobs_, 1);
      if (FutureState* const job = pool_.lanes().pop_oldest()) return job;
    }
    if (FutureState* const job = find()) return job;
    if (sealed) {  // before the last look, so nothing can come any more
      pool_.retire();
      return nullptr;
    }
    if (FutureState* const job = search()) return job;
  }
}

// Of those that are forked, its own newest first, then the oldest of another worker.
bool Worker::run_fork() {
  Frame* const frame = pool_.take_fork(*this);
  if (!frame) return false;
  run_frame(*frame);
  return true;
}

FutureState* Worker::find() {
  if (FutureState* const job = pool_.lanes().pop_urgent()) return job;
  if (FutureState* const job = jobs_.steal()) return job;
  if (FutureState* const job = steal_from_held_up()) return job;
  if (refill()) {
    if (FutureState* const job = jobs_.steal()) return job;
  }
  if (FutureState* const job = pool_.steal_for(*this)) return job;
  return pool_.lanes().pop_highest();
}

// What queues behind a long job is older than what is in the inbox. A job is taken for long if it
// ran the last time, too, that this worker looked.
FutureState* Worker::steal_from_held_up() {
  const auto workers = pool_.workers();
  seen_.resize(workers.size());
  for (std::size_t i = 0; i < workers.size(); ++i) {
    if (workers[i] == this) continue;
    const FutureState* const running = workers[i]->current_.load();
    const bool held_up = running && running == std::exchange(seen_[i], running);
    if (!held_up) continue;
    if (FutureState* const job = workers[i]->steal()) return job;
  }
  return nullptr;
}

// Jobs are taken singly, in the order of their arrival, unless they are so short that taking them
// costs more than running them.
bool Worker::refill() {
  if (pool_.inbox().empty()) return false;
  const auto now = Clock::now();
  const bool short_jobs = now - refilled_at_ < static_cast<int>(batch_) * short_job;
  batch_ = short_jobs ? std::min(2 * batch_, Inbox::max_batch) : (batch_ + 1) / 2;
  refilled_at_ = now;
  return pool_.inbox().refill(jobs_, batch_);
}

// Null: something has changed, look again.
FutureState* Worker::search() {
  IdleWorkers& idle = pool_.idle();
  FutureState* job = nullptr;
  bool searching = idle.begin_search();
  const auto found = [&] {
    return (job = find()) || pool_.has_forks() || pool_.wants_workers_to_end();
  };
  const bool awake = searching && spin_.until(found);
  if (!awake) {
    idle.announce_sleep(*this, searching);  // [SLEEP-1]
    pool_.want_helpers();
    // What was forked just before may not be visible yet: the first sleep is a nap.
    bool stay_awake = found();
    const bool woken = !stay_awake && pool_.runs_coroutines() && park_for(nap);
    if (!stay_awake && !woken) stay_awake = found();
    if (stay_awake && idle.cancel_sleep(*this)) {
      // Submitters may have relied on this worker while it searched.
      if (searching && job && pool_.has_work()) idle.notify_one();
      return job;
    }
    if (!woken) park();
    if (searching) spin_.woke(woken_at_.load());
    searching = true;  // who woke it has counted it
    if (!job) job = find();
  }
  // Submitters rely on a searching worker to see their jobs: the last one passes that duty on.
  if (searching && idle.end_search() && pool_.has_work()) idle.notify_one();
  return job;
}

// ---------------------------------------------------------------- running

bool Worker::run_queued(FutureState& job) {
  if (run(job, true)) return true;
  drop_husk(job);
  return false;
}

// False: somebody else has run or cancelled it. `queued`: with the reference of the queue.
bool Worker::run(FutureState& job, bool queued) {
  RunFrame frame{&job, working_thread.top};
  const FutureState* const below = frame.below ? frame.below->job : nullptr;
  current_ = &job;  // [GROW-2]
  if (!job.start()) {
    current_ = below;
    // A stop request for the job, which runs elsewhere, may have met this thread meanwhile.
    if (job.snapshot().has(stop_requested) && take_back_interruption() && below &&
        below->snapshot().has(stop_requested)) {
      thread_.interrupt();
    }
    return false;
  }
  working_thread.top = &frame;
  pool_.job_started(job, below != nullptr);
  const HeldBack stop_request(below);
  const Phase phase = job.invoke();
  working_thread.top = frame.below;
  if (phase == Phase::running) [[unlikely]] {
    current_ = below;
    pool_.job_ended(job);
    if (queued) job.release();
  } else {
    end(job, phase, queued);
  }
  if (stop_request.due()) thread_.interrupt();
  return true;
}

// A forked coroutine.
void Worker::run_frame(Frame& frame) {
  CoroutineJob& job = frame.fork()->job();
  RunFrame top{&job.state(), working_thread.top};
  const FutureState* const below = top.below ? top.below->job : nullptr;
  current_ = &job.state();  // [GROW-2]
  working_thread.top = &top;
  if (!below) pool_.worker_busy();
  const HeldBack stop_request(below);
  job.run(frame, frame.fork()->context());
  working_thread.top = top.below;
  current_ = below;
  if (stop_request.due()) thread_.interrupt();
}

// The worker is free before the job is seen to be done, so that who waited for it and submits the
// next one meets a free worker; but not while it is held up in done-callbacks.
void Worker::end(FutureState& job, Phase phase, bool queued) {
  const FutureState* const below = working_thread.top ? working_thread.top->job : nullptr;
  if (!job.snapshot().has(has_callbacks)) {
    current_ = below;
    pool_.job_ended(job);
    job.end(phase, queued);
    return;
  }
  job.end(phase);
  current_ = below;
  pool_.job_ended(job);
  if (queued) job.release();
}

bool Worker::help(FutureState& job) {
  const bool pending = job.snapshot().phase() == Phase::pending;
  const bool ran = pending ? run_pending(job) : run_fork_of(job);
  if (ran) drop_own_husks();
  return ran;
}

bool Worker::run_pending(FutureState& job) {
  if (jobs_.newest() == &job) {
    FutureState* const own = jobs_.pop();
    return own && run_queued(*own);
  }
  if (!run(job, false)) return false;
  count_husk(1);
  ++husks_left_;
  return true;
}

// What a coroutine has forked in this very thread, where it may stay for as long as this worker
// waits.
bool Worker::run_fork_of(const FutureState& job) {
  Frame* const frame = forks_.pop();
  if (!frame) return false;
  if (&frame->fork()->job().state() == &job) {
    run_frame(*frame);
    return true;
  }
  forks_.push(*frame);
  if (forks_.helpers_wanted()) pool_.call_helpers();  // somebody may have looked meanwhile
  return false;
}

// ---------------------------------------------------------------- coroutines

void Worker::enter_coroutine(FutureState& job) noexcept {
  working_thread.top->job = &job;
  current_ = &job;
}

// A stop request for the job, which may go on elsewhere, must not reach what runs here next.
void Worker::leave_coroutine(FutureState& job) noexcept {
  current_ = nullptr;
  if (job.snapshot().has(stop_requested)) take_back_interruption();
}

// Jobs that were run in place stay in the queue, where they keep their memory. Recursion leaves
// them at the newest end, from where they are dropped here before they can pile up.
void Worker::drop_own_husks() {
  for (; husks_left_ > 0; --husks_left_) {
    FutureState* const job = jobs_.pop();
    if (!job) {
      husks_left_ = 0;
      return;
    }
    if (job->snapshot().phase() == Phase::pending) {
      jobs_.push(job);
      pool_.idle().notify_one();  // [SLEEP-2] somebody may have looked while it was away
      return;
    }
    drop_husk(*job);
  }
}

void Worker::drop_husk(FutureState& job) {
  count_husk(-1);
  job.release();
}

void Worker::count_husk(std::ptrdiff_t change) noexcept { husks_ = husks_.load() + change; }

}  // namespace plait::detail
