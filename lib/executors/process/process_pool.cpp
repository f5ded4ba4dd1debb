// The engine of ProcessPoolExecutor: taking tasks and requests, and its end.
#include "executors/process/process_pool.hpp"

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <limits>
#include <new>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <plait/core/errors.hpp>

#include "core/describe_exception.hpp"
#include "core/wait_graph.hpp"
#include "executors/live_pools.hpp"
#include "executors/process/bootstrap.hpp"
#include "executors/process/frames.hpp"
#include "executors/process/process_manager.hpp"
#include "executors/usable_cpus.hpp"

namespace plait::detail {
namespace {

// More than any machine has; who asks for more has computed it wrongly.
constexpr std::size_t most_workers = 4096;

std::size_t checked(std::size_t max_workers) {
  if (max_workers > most_workers) {
    throw std::invalid_argument("ProcessPoolExecutor: max_workers is " +
                                std::to_string(max_workers) + "; at most " +
                                std::to_string(most_workers) + " make sense");
  }
  return max_workers > 0 ? max_workers : usable_cpus();
}

PrivateFd make_eventfd() {
  const int fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), "eventfd()");
  return PrivateFd(fd);
}

}  // namespace

ProcessPool::ProcessPool(ProcessPoolOptions options)
    : options_(options),
      max_workers_(checked(options.max_workers)),
      fork_generation_(fork_generation()),
      wake_(make_eventfd()),
      arena_(SharedArena::make()) {}

// The last handle is gone, and the manager, which has one, has ended, unless this is a child.
ProcessPool::~ProcessPool() {
  forget_pool(*this);
  // In a child made by fork() these are the parent's, and nobody is told of them.
  for (const TaskPtr& task : requests_.tasks) task->accepted = false;
  if (thread_.joinable()) thread_.detach();
}

std::shared_ptr<ProcessPool> ProcessPool::make(ProcessPoolOptions options) {
  auto pool = std::make_shared<ProcessPool>(options);
  remember_pool(pool);
  return pool;
}

bool ProcessPool::forked() const noexcept { return fork_generation_ != fork_generation(); }

std::size_t ProcessPool::worker_limit() const noexcept {
  return std::numeric_limits<std::size_t>::max();  // no thread of this process is needed
}

// ---------------------------------------------------------------- taking tasks

void ProcessPool::enqueue(JobRef job, const SubmitOptions& options, const RemoteJob& remote) {
  if (options.retries < 0) throw std::invalid_argument("SubmitOptions::retries is negative");
  if (forked()) refuse_in_child();  // a thread that does not exist here may hold the mutex
  {
    MutexLock lock(mutex_);
    if (stage_ != Stage::open) refuse();
    if (manager_ == Manager::none) start_manager();
  }
  TaskPtr task = encode(std::move(job), options, remote);
  if (!task) return;
  MutexLock lock(mutex_);
  if (stage_ != Stage::open) refuse();
  requests_.tasks.push_back(std::move(task));
  requests_.tasks.back()->accepted = true;
  wake();
}

// Runs in: who submits, as its arguments may be nobody else's business. Null: the future has
// failed.
TaskPtr ProcessPool::encode(JobRef job, const SubmitOptions& options,
                            const RemoteJob& remote) const {
  auto task = std::make_unique<Task>();
  task->job = std::move(job);
  task->call = remote.call;
  task->timeout = options.timeout;
  task->retries = options.retries;
  task->priority = options.priority;
  try {
    if (!remote.call) {
      throw SerializationError(
          task->job->describe() +
          " cannot travel to another process: give remote<&function>, or submit it to the "
          "ProcessPoolExecutor itself, which takes more than an Executor& can");
    }
    const CodeAddress address = remote.call->address();
    task->content.append(&address, sizeof address);
    remote.call->encode(remote.bound, task->content);
    return task;
  } catch (const SerializationError&) {
    fail_task(*task, std::current_exception());
  } catch (...) {
    try {
      std::throw_with_nested(SerializationError(
          "the arguments of " + task->job->describe() +
          " could not be sent: " + describe_exception(std::current_exception())));
    } catch (...) {
      fail_task(*task, std::current_exception());
    }
  }
  return nullptr;
}

void ProcessPool::refuse_in_child() {
  throw RuntimeError(
      "this pool was made before fork() and has no workers in the child process: make a new one");
}

void ProcessPool::refuse() const {
  if (stage_ == Stage::broken) {
    throw BrokenProcessPool(broken_reason_.empty() ? "the pool's own thread failed"
                                                   : broken_reason_);
  }
  throw RuntimeError("cannot schedule new futures after shutdown");
}

void ProcessPool::check_wait(const FutureState&) const {
  if (!forked()) {
    MutexLock lock(mutex_);
    if (manager_ == Manager::none || manager_id_ != std::this_thread::get_id()) return;
    throw RuntimeError(
        "a done-callback of a process pool waits for a task of the same pool, which needs this "
        "very thread to end: chain another callback instead");
  }
  throw RuntimeError("this pool was made before fork(), and its workers are not this process's");
}

// What was cancelled is thrown away when its turn comes; the manager may wait for just that.
void ProcessPool::job_cancelled(FutureState&) noexcept {
  if (forked()) return;
  MutexLock lock(mutex_);
  wake();
}

// ---------------------------------------------------------------- the manager

void ProcessPool::start_manager() {
  if (!bootstrapped()) {
    throw RuntimeError(
        "ProcessPoolExecutor needs a hook before main(): build with plait's Meson or pkg-config "
        "dependency, or call plait::process_bootstrap(argc, argv) in main's first line");
  }
  if (worker_depth() >= max_depth) {
    throw RuntimeError("process pools are nested " + std::to_string(max_depth) +
                       " deep: this is probably not meant. Is a pool made by a static object?");
  }
  try {
    thread_ = std::thread([self = shared_from_this()] { self->run_manager(); });
  } catch (const std::system_error& error) {
    throw BrokenProcessPool(std::string("the pool's own thread could not be started: ") +
                            error.what());
  }
  manager_id_ = thread_.get_id();
  manager_ = Manager::runs;
}

// A failure of the manager itself fails every future, so that nobody waits for ever.
void ProcessPool::run_manager() noexcept {
  ::pthread_setname_np(::pthread_self(), "plait-processes");
  ProcessManager manager(*this);
  try {
    manager.run();
  } catch (...) {
    manager.give_up(std::current_exception());
  }
}

void ProcessPool::wake() {
  requested_ = true;
  if (!std::exchange(asleep_, false)) return;
  const std::uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);  // cannot block: it only counts
}

bool ProcessPool::take(Requests& requests) {
  if (!requested_) return false;
  MutexLock lock(mutex_);
  requested_ = false;
  requests = std::exchange(requests_, {});
  requests_.cancel = requests.cancel;
  requests.stage = stage_;
  return true;
}

bool ProcessPool::prepare_sleep() {
  MutexLock lock(mutex_);
  asleep_ = !requested_;
  return asleep_;
}

void ProcessPool::set_worker_pids(std::vector<int> pids) {
  MutexLock lock(mutex_);
  pids_ = std::move(pids);
}

void ProcessPool::break_down(const std::string& reason) {
  MutexLock lock(mutex_);
  if (stage_ == Stage::killed) return;
  stage_ = Stage::broken;
  broken_reason_ = reason;
}

void ProcessPool::drop_requests() noexcept {
  for (;;) {
    TaskPtr task;  // fails with no mutex held, as its callbacks run
    MutexLock lock(mutex_);
    if (stage_ != Stage::killed) stage_ = Stage::broken;
    if (requests_.tasks.empty()) return;
    task = std::move(requests_.tasks.front());
    requests_.tasks.pop_front();
  }
}

bool ProcessPool::end_manager() {
  MutexLock lock(mutex_);
  if (!requests_.tasks.empty()) return false;
  manager_ = Manager::ended;
  manager_ended_.notify_all();
  return true;
}

// ---------------------------------------------------------------- for the handle

void ProcessPool::shutdown(ShutdownOptions options) {
  if (forked()) return;
  {
    MutexLock lock(mutex_);
    if (stage_ == Stage::open) stage_ = Stage::closed;
    requests_.cancel = requests_.cancel || options.cancel_futures;
    wake();
  }
  if (options.wait) join();
}

// In the manager's own thread, in a done-callback, it does not wait, as it would wait for itself.
void ProcessPool::join() {
  std::thread thread;
  {
    MutexLock lock(mutex_);
    if (manager_ == Manager::none || manager_id_ == std::this_thread::get_id()) return;
    while (manager_ != Manager::ended) manager_ended_.wait(mutex_);
    thread = std::move(thread_);
  }
  if (thread.joinable()) thread.join();
}

std::vector<int> ProcessPool::worker_pids() const {
  if (forked()) return {};
  MutexLock lock(mutex_);
  return pids_;
}

void ProcessPool::end_workers(int signal) {
  if (forked()) return;
  MutexLock lock(mutex_);
  if (stage_ != Stage::broken) stage_ = Stage::killed;
  requests_.signal = signal;
  wake();
}

bool ProcessPool::kill_task(FutureState* job) {
  if (!job) throw_no_state("kill_task()");
  if (forked() || job->owner() != this || job->done()) return false;
  if (job->cancel()) return true;
  MutexLock lock(mutex_);
  requests_.kills.push_back(JobRef::share(*job));
  wake();
  return true;
}

}  // namespace plait::detail

namespace plait {

ProcessPoolExecutor::ProcessPoolExecutor(std::size_t max_workers)
    : ProcessPoolExecutor(ProcessPoolOptions{.max_workers = max_workers}) {}

ProcessPoolExecutor::ProcessPoolExecutor(ProcessPoolOptions options)
    : Executor(detail::ProcessPool::make(options)) {}

ProcessPoolExecutor::~ProcessPoolExecutor() { shutdown(); }

detail::ProcessPool& ProcessPoolExecutor::pool() const {
  return static_cast<detail::ProcessPool&>(core());
}

void ProcessPoolExecutor::shutdown(ShutdownOptions options) { pool().shutdown(options); }

std::vector<int> ProcessPoolExecutor::worker_pids() const { return pool().worker_pids(); }

void ProcessPoolExecutor::terminate_workers() { pool().end_workers(SIGTERM); }

void ProcessPoolExecutor::kill_workers() { pool().end_workers(SIGKILL); }

std::shared_ptr<const detail::SharedBlock> ProcessPoolExecutor::allocate(std::size_t elements,
                                                                         std::size_t size) {
  if (elements > std::numeric_limits<std::size_t>::max() / size) throw std::bad_alloc();
  return pool().arena().allocate(elements * size);
}

bool ProcessPoolExecutor::kill_task(detail::FutureState* task) { return pool().kill_task(task); }

}  // namespace plait
