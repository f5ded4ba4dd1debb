// Files by io_uring, where the library is built on it.
#include "io/file_state.hpp"

#ifdef BOOST_ASIO_HAS_IO_URING

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <deque>
#include <functional>
#include <optional>
#include <type_traits>

#include <boost/asio/buffer.hpp>
#include <boost/asio/stream_file.hpp>
#include <boost/system/system_error.hpp>

#include <plait/core/promise.hpp>
#include <plait/loop/event_loop.hpp>

#include "loop/loop_resource.hpp"
#include "loop/selector.hpp"

namespace plait::detail {
namespace {

using ErrorCode = boost::system::error_code;

/// A regular file, closed with the loop at the latest. All of it runs in the loop's thread, which
/// does not go before the kernel has ended what it does.
class UringFile final : public FileState,
                        public LoopResource,
                        public std::enable_shared_from_this<UringFile> {
 public:
  UringFile(LoopCore& core, OwnedFd fd, std::string name);
  ~UringFile() override { take_descriptor(); }

  Coroutine<std::string> read(std::ptrdiff_t n) override;
  Coroutine<std::size_t> write(std::string data) override;
  Coroutine<std::uint64_t> seek(std::int64_t offset, int whence) override;
  Coroutine<> close() override;

 private:
  /// What is read or written, and who waits for it. The kernel uses `data` until it says that it
  /// has ended, so the handler owns this, and the selector waits for it.
  template <class T>
  struct Transfer {
    std::string data;
    std::size_t left;  // bytes still to be read or written
    Promise<T> promise;
  };
  using Reading = Transfer<std::string>;
  using Writing = Transfer<std::size_t>;
  /// True: it has ended; else it calls begin_next() when it has.
  using Operation = std::function<bool()>;

  template <class T, class Begin>
  static Coroutine<T> in_turn(std::shared_ptr<UringFile> file, Promise<T> promise, Begin begin);
  template <class T, class Job>
  static Coroutine<T> at_once(std::shared_ptr<UringFile> file, Job job);
  void begin_next();

  void read_some(std::shared_ptr<Reading> reading);
  void write_some(std::shared_ptr<Writing> writing);
  template <class T, class Step>
  auto when_ended(std::shared_ptr<Transfer<T>> transfer, Step step);

  void loop_closing() noexcept override { take_descriptor(); }
  /// What is under way ends without telling anybody. -1: it was closed.
  OwnedFd take_descriptor() noexcept;
  int open_descriptor();

  Selector& selector_;  // exists unless it was closed
  const std::string name_;
  std::optional<boost::asio::stream_file> file_;  // empty: closed
  std::deque<Operation> operations_;
  bool running_ = false;
};

UringFile::UringFile(LoopCore& core, OwnedFd fd, std::string name)
    : selector_(core.selector()), name_(std::move(name)) {
  try {
    file_.emplace(selector_.context(), fd.get());
    fd.release();
    selector_.add_resource(*this, file_->native_handle());
  } catch (const boost::system::system_error& error) {
    throw_file_error(error.code().value(), "using", name_);
  }
}

OwnedFd UringFile::take_descriptor() noexcept {
  if (!file_) return OwnedFd(-1);
  unlink();
  ErrorCode ignored;
  OwnedFd fd(file_->release(ignored));
  selector_.forget_resource(fd.get());
  file_.reset();
  return fd;
}

int UringFile::open_descriptor() {
  if (!file_) throw_file_error(EBADF, "using", name_);
  return file_->native_handle();
}

// ---------------------------------------------------------------- one after the other

template <class T, class Begin>
Coroutine<T> UringFile::in_turn(std::shared_ptr<UringFile> file, Promise<T> promise, Begin begin) {
  LoopCore& core = require_running_core();
  auto done = promise.get_future();
  file->operations_.push_back([file = file.get(), promise, begin = std::move(begin)]() mutable {
    if (!promise.set_running_or_notify_cancel()) return true;
    try {
      return begin(*file);
    } catch (...) {
      promise.set_exception(std::current_exception());
      return true;
    }
  });
  if (!file->running_) file->begin_next();
  const OutsideWork wait(core);
  co_return co_await std::move(done);
}

void UringFile::begin_next() {
  for (bool ended = true; ended;) {
    running_ = !operations_.empty();
    if (!running_) return;
    auto operation = std::move(operations_.front());
    operations_.pop_front();
    ended = operation();
  }
}

template <class T, class Job>
Coroutine<T> UringFile::at_once(std::shared_ptr<UringFile> file, Job job) {
  Promise<T> promise;
  return in_turn(std::move(file), promise,
                 [promise, job = std::move(job)](UringFile& self) mutable {
                   if constexpr (std::is_void_v<T>) {
                     job(self);
                     promise.set_result();
                   } else {
                     promise.set_result(job(self));
                   }
                   return true;
                 });
}

// ---------------------------------------------------------------- operations

Coroutine<std::string> UringFile::read(std::ptrdiff_t n) {
  auto reading = std::make_shared<Reading>();
  reading->left = wanted_bytes(n);
  return in_turn(shared_from_this(), reading->promise, [reading](UringFile& self) {
    self.open_descriptor();
    self.read_some(reading);
    return false;
  });
}

Coroutine<std::size_t> UringFile::write(std::string data) {
  auto writing = std::make_shared<Writing>();
  writing->data = std::move(data);
  writing->left = writing->data.size();
  return in_turn(shared_from_this(), writing->promise, [writing](UringFile& self) {
    self.open_descriptor();
    self.write_some(writing);
    return false;
  });
}

Coroutine<std::uint64_t> UringFile::seek(std::int64_t offset, int whence) {
  return at_once<std::uint64_t>(shared_from_this(), [offset, whence](UringFile& self) {
    const off_t place = ::lseek(self.open_descriptor(), offset, whence);
    if (place < 0) throw_file_error(errno, "seeking in", self.name_);
    return static_cast<std::uint64_t>(place);
  });
}

Coroutine<> UringFile::close() {
  return at_once<void>(shared_from_this(), [](UringFile& self) {
    const int fd = self.take_descriptor().release();
    if (fd >= 0 && ::close(fd) != 0) throw_file_error(errno, "closing", self.name_);
  });
}

// step() goes on with the transfer, or tells its result and returns true.
template <class T, class Step>
auto UringFile::when_ended(std::shared_ptr<Transfer<T>> transfer, Step step) {
  return [self = shared_from_this(), transfer, step](const ErrorCode& error, std::size_t bytes) {
    self->selector_.expect_kernel(-1);
    if (!self->file_) return;  // the loop is being closed
    try {
      if (!step(error, bytes)) return;
    } catch (...) {
      transfer->promise.set_exception(std::current_exception());
    }
    self->begin_next();
  };
}

void UringFile::read_some(std::shared_ptr<Reading> reading) {
  const std::size_t before = reading->data.size();
  reading->data.resize(before + next_read(reading->left, before));
  const auto place = boost::asio::buffer(reading->data) + before;
  const auto step = [=, this](const ErrorCode& error, std::size_t got) {
    reading->data.resize(before + got);
    reading->left -= got;
    if (error && error != boost::asio::error::eof) {
      throw_file_error(error.value(), "reading", name_);
    }
    const bool ended = error || reading->left == 0;
    ended ? reading->promise.set_result(std::move(reading->data)) : read_some(reading);
    return ended;
  };
  file_->async_read_some(place, when_ended(reading, step));
  selector_.expect_kernel(1);
}

void UringFile::write_some(std::shared_ptr<Writing> writing) {
  const std::size_t all = writing->data.size();
  const auto rest = boost::asio::buffer(std::as_const(writing->data)) + (all - writing->left);
  const auto step = [=, this](const ErrorCode& error, std::size_t now) {
    if (error) throw_file_error(error.value(), "writing", name_);
    writing->left -= now;
    const bool ended = writing->left == 0;
    ended ? writing->promise.set_result(all) : write_some(writing);
    return ended;
  };
  file_->async_write_some(rest, when_ended(writing, step));
  selector_.expect_kernel(1);
}

bool is_regular(int fd) {
  struct stat status{};
  return ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

}  // namespace

std::shared_ptr<FileState> make_file(LoopCore& core, OwnedFd fd, std::string name) {
  // Somebody else's context may go while the kernel uses the memory of an operation.
  const bool in_kernel = is_regular(fd.get()) && core.selector().owns_context();
  if (!in_kernel) return make_thread_file(std::move(fd), std::move(name));
  return std::make_shared<UringFile>(core, std::move(fd), std::move(name));
}

}  // namespace plait::detail

#else

namespace plait::detail {

std::shared_ptr<FileState> make_file(LoopCore&, OwnedFd fd, std::string name) {
  return make_thread_file(std::move(fd), std::move(name));
}

}  // namespace plait::detail

#endif
