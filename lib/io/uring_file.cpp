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

/// A regular file, closed with the loop at the latest. All of it runs in the loop's thread.
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
  /// has ended, so the handler owns this.
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
  template <class Handler>
  auto in_a_turn(Handler handler);
  template <class T, class Result>
  void end(Transfer<T>& transfer, const ErrorCode& error, const char* call, Result result);

  void loop_closing() noexcept override { take_descriptor(); }
  /// What is under way ends without telling anybody. -1: it was closed.
  OwnedFd take_descriptor() noexcept;
  int open_descriptor();

  LoopCore& core_;  // exists unless it was closed
  const std::string name_;
  std::optional<boost::asio::stream_file> file_;  // empty: closed
  std::deque<Operation> operations_;
  bool running_ = false;
};

UringFile::UringFile(LoopCore& core, OwnedFd fd, std::string name)
    : core_(core), name_(std::move(name)) {
  try {
    file_.emplace(core.selector().context(), fd.get());
    core.selector().add_resource(*this, fd.release());
  } catch (const boost::system::system_error& error) {
    throw_file_error(error.code().value(), "using", name_);
  }
}

OwnedFd UringFile::take_descriptor() noexcept {
  if (!file_) return OwnedFd(-1);
  unlink();
  ErrorCode ignored;
  OwnedFd fd(file_->release(ignored));
  core_.selector().forget_resource(fd.get());
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

// An io_context that somebody else runs calls what is ready between the loop's turns.
template <class Handler>
auto UringFile::in_a_turn(Handler handler) {
  return [self = shared_from_this(), handler](const ErrorCode& error, std::size_t bytes) mutable {
    if (!self->file_) return;
    if (running_core() == &self->core_) return handler(error, bytes);
    self->core_.loop().call_soon([self, handler, error, bytes]() mutable {
      if (self->file_) handler(error, bytes);
    });
  };
}

void UringFile::read_some(std::shared_ptr<Reading> reading) {
  const std::size_t before = reading->data.size();
  reading->data.resize(before + next_read(reading->left, before));
  const auto place = boost::asio::buffer(reading->data) + before;
  file_->async_read_some(place, in_a_turn([=, this](ErrorCode error, std::size_t got) {
                           reading->data.resize(before + got);
                           reading->left -= got;
                           if (!error && reading->left > 0) return read_some(reading);
                           if (error == boost::asio::error::eof) error.clear();
                           end(*reading, error, "reading",
                               [&] { return std::move(reading->data); });
                         }));
}

void UringFile::write_some(std::shared_ptr<Writing> writing) {
  const std::size_t all = writing->data.size();
  const auto rest = boost::asio::buffer(std::as_const(writing->data)) + (all - writing->left);
  file_->async_write_some(rest, in_a_turn([=, this](const ErrorCode& error, std::size_t now) {
                            writing->left -= now;
                            if (!error && writing->left > 0) return write_some(writing);
                            end(*writing, error, "writing", [all] { return all; });
                          }));
}

template <class T, class Result>
void UringFile::end(Transfer<T>& transfer, const ErrorCode& error, const char* call,
                    Result result) {
  try {
    if (error) throw_file_error(error.value(), call, name_);
    transfer.promise.set_result(result());
  } catch (...) {
    transfer.promise.set_exception(std::current_exception());
  }
  begin_next();
}

bool is_regular(int fd) {
  struct stat status{};
  return ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

}  // namespace

std::shared_ptr<FileState> make_file(LoopCore& core, OwnedFd fd, std::string name) {
  if (!is_regular(fd.get())) return make_thread_file(std::move(fd), std::move(name));
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
