// Files by the calls that block, in threads of the default executor.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <exception>
#include <string_view>
#include <type_traits>
#include <utility>

#include <plait/core/promise.hpp>
#include <plait/loop/event_loop.hpp>

#include "core/mutex.hpp"
#include "io/file_state.hpp"
#include "io/pipe_write.hpp"

namespace plait::detail {
namespace {

class ThreadFile;

/// What is to be done with a file, and somebody who may wait for it.
class FileOperation {
 public:
  FileOperation() = default;
  virtual ~FileOperation() = default;
  FileOperation(const FileOperation&) = delete;
  FileOperation& operator=(const FileOperation&) = delete;

  virtual void run(ThreadFile& file) noexcept = 0;
  /// Says how it ended. Destroyed untold, it ends as a broken promise.
  virtual void tell() noexcept = 0;
};

/// A descriptor and what is to be done with it. An operation blocks the thread that runs it.
class ThreadFile final : public FileState, public std::enable_shared_from_this<ThreadFile> {
 public:
  ThreadFile(OwnedFd fd, std::string name) : fd_(std::move(fd)), name_(std::move(name)) {}

  // -- the loop's thread
  Coroutine<std::string> read(std::ptrdiff_t n) override;
  Coroutine<std::size_t> write(std::string data) override;
  Coroutine<std::uint64_t> seek(std::int64_t offset, int whence) override;
  Coroutine<> close() override;

  // -- any thread
  /// True: nobody runs the operations, so that run_operations() is to be called somewhere.
  bool add_operation(std::unique_ptr<FileOperation> operation);
  /// Who hears that the last one has ended may count on it that the file is held here no more, and
  /// is closed once he drops it.
  static void run_operations(std::shared_ptr<ThreadFile> file);
  void drop_operations();

  // -- in a thread that may block
  std::string read_now(std::ptrdiff_t n);
  std::size_t write_now(const std::string& data);
  std::uint64_t seek_now(std::int64_t offset, int whence);
  void close_now();

 private:
  void check_open() const {
    if (fd_.get() >= 0) return;
    errno = EBADF;
    fail("using");
  }
  std::unique_ptr<FileOperation> next_operation();
  [[noreturn]] void fail(const char* call) const { throw_file_error(errno, call, name_); }

  OwnedFd fd_;  // -1: closed. Of who runs the operations
  const std::string name_;
  Mutex mutex_;
  std::deque<std::unique_ptr<FileOperation>> operations_ PLAIT_TSA(guarded_by(mutex_));
  bool running_ PLAIT_TSA(guarded_by(mutex_)) = false;
};

bool ThreadFile::add_operation(std::unique_ptr<FileOperation> operation) {
  MutexLock lock(mutex_);
  operations_.push_back(std::move(operation));
  return !std::exchange(running_, true);
}

// Null: there is none, and nobody runs them any more.
std::unique_ptr<FileOperation> ThreadFile::next_operation() {
  MutexLock lock(mutex_);
  running_ = !operations_.empty();
  if (!running_) return nullptr;
  auto operation = std::move(operations_.front());
  operations_.pop_front();
  return operation;
}

void ThreadFile::run_operations(std::shared_ptr<ThreadFile> file) {
  for (auto operation = file->next_operation(); operation;) {
    operation->run(*file);
    auto next = file->next_operation();
    if (!next) file.reset();
    operation->tell();
    operation = std::move(next);
  }
}

// Those who wait for them learn that nobody will make them.
void ThreadFile::drop_operations() {
  std::deque<std::unique_ptr<FileOperation>> dropped;  // destroyed without the mutex
  MutexLock lock(mutex_);
  running_ = false;
  dropped.swap(operations_);
}

std::string ThreadFile::read_now(std::ptrdiff_t n) {
  check_open();
  std::string data;
  for (std::size_t left = wanted_bytes(n); left > 0;) {
    const std::size_t before = data.size();
    data.resize(before + next_read(left, before));
    const ssize_t got = ::read(fd_.get(), data.data() + before, data.size() - before);
    data.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("reading");
    if (got == 0) break;
    left -= static_cast<std::size_t>(got);
  }
  return data;
}

std::size_t ThreadFile::write_now(const std::string& data) {
  check_open();
  for (std::size_t written = 0; written < data.size();) {
    const ssize_t now = write_without_sigpipe(fd_.get(), std::string_view(data).substr(written));
    if (now < 0 && errno == EINTR) continue;
    if (now < 0) fail("writing");
    written += static_cast<std::size_t>(now);
  }
  return data.size();
}

std::uint64_t ThreadFile::seek_now(std::int64_t offset, int whence) {
  const off_t place = ::lseek(fd_.get(), offset, whence);
  if (place < 0) fail("seeking in");
  return static_cast<std::uint64_t>(place);
}

void ThreadFile::close_now() {
  if (fd_.get() >= 0 && ::close(fd_.release()) != 0) fail("closing");
}

// Runs a file's operations; dropped unrun by its executor, it drops them.
class Turns {
 public:
  explicit Turns(std::shared_ptr<ThreadFile> file) : file_(std::move(file)) {}
  Turns(Turns&& other) noexcept = default;
  ~Turns() {
    if (file_) file_->drop_operations();
  }
  void operator()() { ThreadFile::run_operations(std::exchange(file_, nullptr)); }

 private:
  std::shared_ptr<ThreadFile> file_;  // null: it ran, or was moved from
};

template <class Job>
class JobOnFile final : public FileOperation {
 public:
  using Result = std::invoke_result_t<Job&, ThreadFile&>;

  explicit JobOnFile(Job job) : job_(std::move(job)) {}
  Future<Result> get_future() { return promise_.get_future(); }

  void run(ThreadFile& file) noexcept override {
    wanted_ = promise_.set_running_or_notify_cancel();
    if (!wanted_) return;
    try {
      if constexpr (std::is_void_v<Result>) {
        job_(file);
      } else {
        result_ = job_(file);
      }
    } catch (...) {
      error_ = std::current_exception();
    }
  }

  void tell() noexcept override {
    if (!wanted_) return;
    if (error_) {
      promise_.set_exception(std::move(error_));
    } else if constexpr (std::is_void_v<Result>) {
      promise_.set_result();
    } else {
      promise_.set_result(std::move(result_));
    }
  }

 private:
  Job job_;
  Promise<Result> promise_;
  bool wanted_ = false;  // it was not cancelled before it began
  std::exception_ptr error_;
  Stored<Result> result_{};
};

template <class Job>
auto in_turn(std::shared_ptr<ThreadFile> file, Job job)
    -> Coroutine<typename JobOnFile<Job>::Result> {
  LoopCore& core = require_running_core();
  auto operation = std::make_unique<JobOnFile<Job>>(std::move(job));
  auto done = operation->get_future();
  const bool first = file->add_operation(std::move(operation));
  if (first) core.loop().run_in_executor(nullptr, Turns(std::move(file)));
  const OutsideWork wait(core);
  co_return co_await std::move(done);
}

Coroutine<std::string> ThreadFile::read(std::ptrdiff_t n) {
  return in_turn(shared_from_this(), [n](ThreadFile& file) { return file.read_now(n); });
}

Coroutine<std::size_t> ThreadFile::write(std::string data) {
  return in_turn(shared_from_this(),
                 [data = std::move(data)](ThreadFile& file) { return file.write_now(data); });
}

Coroutine<std::uint64_t> ThreadFile::seek(std::int64_t offset, int whence) {
  return in_turn(shared_from_this(),
                 [offset, whence](ThreadFile& file) { return file.seek_now(offset, whence); });
}

Coroutine<> ThreadFile::close() {
  return in_turn(shared_from_this(), [](ThreadFile& file) { file.close_now(); });
}

}  // namespace

std::shared_ptr<FileState> make_thread_file(OwnedFd fd, std::string name) {
  return std::make_shared<ThreadFile>(std::move(fd), std::move(name));
}

}  // namespace plait::detail
