// Files by the calls that block, in threads of the default executor.
#include <plait/io/file.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <exception>
#include <limits>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

#include <plait/core/promise.hpp>
#include <plait/loop/detail/loop_core.hpp>
#include <plait/loop/event_loop.hpp>

#include "core/mutex.hpp"
#include "io/owned_fd.hpp"
#include "io/pipe_write.hpp"

namespace plait::detail {

class FileState;

/// What is to be done with a file, and somebody who may wait for it.
class FileOperation {
 public:
  FileOperation() = default;
  virtual ~FileOperation() = default;
  FileOperation(const FileOperation&) = delete;
  FileOperation& operator=(const FileOperation&) = delete;

  virtual void run(FileState& file) noexcept = 0;
  /// Says how it ended. Destroyed untold, it ends as a broken promise.
  virtual void tell() noexcept = 0;
};

/// A descriptor and what is to be done with it. An operation blocks the thread that runs it; one at
/// a time runs, in the order in which they were added, whoever waits for them.
class FileState {
 public:
  FileState(OwnedFd fd, std::string name) : fd_(std::move(fd)), name_(std::move(name)) {}

  // -- any thread
  /// True: nobody runs the operations, so that run_operations() is to be called somewhere.
  bool add_operation(std::unique_ptr<FileOperation> operation);
  /// Who hears that the last one has ended may count on it that the file is held here no more, and
  /// is closed once he drops it.
  static void run_operations(std::shared_ptr<FileState> file);
  void drop_operations();

  // -- the operations, in a thread that may block
  std::string read(std::ptrdiff_t n);
  std::size_t write(const std::string& data);
  std::uint64_t seek(std::int64_t offset, int whence);
  void close();

 private:
  void check_open() const {
    if (fd_.get() >= 0) return;
    errno = EBADF;
    fail("using");
  }
  std::unique_ptr<FileOperation> next_operation();
  [[noreturn]] void fail(const char* call) const {
    throw std::system_error(errno, std::generic_category(), std::string(call) + " " + name_);
  }

  OwnedFd fd_;  // -1: closed. Of who runs the operations
  const std::string name_;
  Mutex mutex_;
  std::deque<std::unique_ptr<FileOperation>> operations_ PLAIT_TSA(guarded_by(mutex_));
  bool running_ PLAIT_TSA(guarded_by(mutex_)) = false;
};

bool FileState::add_operation(std::unique_ptr<FileOperation> operation) {
  MutexLock lock(mutex_);
  operations_.push_back(std::move(operation));
  return !std::exchange(running_, true);
}

// Null: there is none, and nobody runs them any more.
std::unique_ptr<FileOperation> FileState::next_operation() {
  MutexLock lock(mutex_);
  running_ = !operations_.empty();
  if (!running_) return nullptr;
  auto operation = std::move(operations_.front());
  operations_.pop_front();
  return operation;
}

void FileState::run_operations(std::shared_ptr<FileState> file) {
  for (auto operation = file->next_operation(); operation;) {
    operation->run(*file);
    auto next = file->next_operation();
    if (!next) file.reset();
    operation->tell();
    operation = std::move(next);
  }
}

// Those who wait for them learn that nobody will make them.
void FileState::drop_operations() {
  std::deque<std::unique_ptr<FileOperation>> dropped;  // destroyed without the mutex
  MutexLock lock(mutex_);
  running_ = false;
  dropped.swap(operations_);
}

std::string FileState::read(std::ptrdiff_t n) {
  static constexpr std::size_t at_a_time = 256UL * 1024;
  check_open();
  std::string data;
  auto left = n < 0 ? std::numeric_limits<std::size_t>::max() : static_cast<std::size_t>(n);
  while (left > 0) {
    const std::size_t before = data.size();
    data.resize(before + std::min(left, std::max(at_a_time, before)));
    const ssize_t got = ::read(fd_.get(), data.data() + before, data.size() - before);
    data.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("reading");
    if (got == 0) break;
    left -= static_cast<std::size_t>(got);
  }
  return data;
}

std::size_t FileState::write(const std::string& data) {
  check_open();
  for (std::size_t written = 0; written < data.size();) {
    const ssize_t now = write_without_sigpipe(fd_.get(), std::string_view(data).substr(written));
    if (now < 0 && errno == EINTR) continue;
    if (now < 0) fail("writing");
    written += static_cast<std::size_t>(now);
  }
  return data.size();
}

std::uint64_t FileState::seek(std::int64_t offset, int whence) {
  const off_t place = ::lseek(fd_.get(), offset, whence);
  if (place < 0) fail("seeking in");
  return static_cast<std::uint64_t>(place);
}

void FileState::close() {
  if (fd_.get() >= 0 && ::close(fd_.release()) != 0) fail("closing");
}

namespace {

int flags_of(const std::string& mode) {
  std::string bare;
  bool plus = false;
  for (const char c : mode) {
    if (c == '+' && !plus) {
      plus = true;
    } else if (c != 'b' && c != 't') {
      bare += c;
    }
  }
  const int access = plus ? O_RDWR : bare == "r" ? O_RDONLY : O_WRONLY;
  if (bare == "r") return access;
  if (bare == "w") return access | O_CREAT | O_TRUNC;
  if (bare == "a") return access | O_CREAT | O_APPEND;
  if (bare == "x") return access | O_CREAT | O_EXCL;
  throw std::invalid_argument("open(): the mode \"" + mode +
                              "\" is none of r, w, a and x, with or without +");
}

std::unique_ptr<FileState> open_file(const std::filesystem::path& path, int flags) {
  static constexpr mode_t everybody = 0666;  // less the umask
  OwnedFd fd(::open(path.c_str(), flags | O_CLOEXEC, everybody));
  if (fd.get() < 0) {
    throw std::system_error(errno, std::generic_category(), "opening " + path.string());
  }
  struct stat status{};
  if (::fstat(fd.get(), &status) == 0 && S_ISDIR(status.st_mode)) {
    throw std::system_error(EISDIR, std::generic_category(), "opening " + path.string());
  }
  if ((flags & O_APPEND) != 0) ::lseek(fd.get(), 0, SEEK_END);
  return std::make_unique<FileState>(std::move(fd), path.string());
}

// Runs a file's operations; dropped unrun by its executor, it drops them.
class Turns {
 public:
  explicit Turns(std::shared_ptr<FileState> file) : file_(std::move(file)) {}
  Turns(Turns&& other) noexcept = default;
  ~Turns() {
    if (file_) file_->drop_operations();
  }
  void operator()() { FileState::run_operations(std::exchange(file_, nullptr)); }

 private:
  std::shared_ptr<FileState> file_;  // null: it ran, or was moved from
};

// Virtual time waits for it.
class OutsideWork {
 public:
  explicit OutsideWork(LoopCore& core) noexcept : core_(core) { core_.expect_outside(1); }
  ~OutsideWork() { core_.expect_outside(-1); }
  OutsideWork(const OutsideWork&) = delete;
  OutsideWork& operator=(const OutsideWork&) = delete;

 private:
  LoopCore& core_;
};

template <class Job>
class JobOnFile final : public FileOperation {
 public:
  using Result = std::invoke_result_t<Job&, FileState&>;

  explicit JobOnFile(Job job) : job_(std::move(job)) {}
  Future<Result> get_future() { return promise_.get_future(); }

  void run(FileState& file) noexcept override {
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
auto in_turn(std::shared_ptr<FileState> file, Job job)
    -> Coroutine<typename JobOnFile<Job>::Result> {
  LoopCore& core = require_running_core();
  auto operation = std::make_unique<JobOnFile<Job>>(std::move(job));
  auto done = operation->get_future();
  const bool first = file->add_operation(std::move(operation));
  if (first) core.loop().run_in_executor(nullptr, Turns(std::move(file)));
  const OutsideWork wait(core);
  co_return co_await std::move(done);
}

}  // namespace
}  // namespace plait::detail

namespace plait::aio {

using plait::detail::FileState;

File::File(std::shared_ptr<FileState> state) noexcept : state_(std::move(state)) {}

Coroutine<std::string> File::read(std::ptrdiff_t n) {
  return plait::detail::in_turn(state_, [n](FileState& file) { return file.read(n); });
}

Coroutine<std::size_t> File::write(std::string data) {
  return plait::detail::in_turn(
      state_, [data = std::move(data)](FileState& file) { return file.write(data); });
}

Coroutine<std::uint64_t> File::seek(std::int64_t offset, int whence) {
  if (whence < 0 || whence > 2) {
    throw std::invalid_argument("seek(): whence is 0, 1 or 2, not " + std::to_string(whence));
  }
  return plait::detail::in_turn(
      state_, [offset, whence](FileState& file) { return file.seek(offset, whence); });
}

Coroutine<> File::close() {
  return plait::detail::in_turn(state_, [](FileState& file) { file.close(); });
}

Coroutine<std::shared_ptr<File>> open(std::filesystem::path path, std::string mode) {
  const int flags = plait::detail::flags_of(mode);
  auto& loop = plait::detail::require_running_core().loop();
  auto opened = loop.run_in_executor(nullptr, &plait::detail::open_file, path, flags);
  // Movable only, so that no copy is left in the executor, where it would hold the file open.
  std::unique_ptr<FileState> state = co_await std::move(opened);
  co_return std::make_shared<File>(std::move(state));
}

}  // namespace plait::aio
