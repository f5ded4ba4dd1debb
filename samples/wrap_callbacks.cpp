// How to wrap a C library that calls back in a thread of its own, so that coroutines can await it.
// The library is the C library's own: aio_read() reads from a file, and SIGEV_THREAD makes it call
// a function in another thread when it has read, failed or been cancelled.
#include <aio.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <plait/aio.hpp>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace aio = plait::aio;
using namespace std::chrono_literals;

// --- the wrapper

//! [state]
// How many reads the library still has. Only the loop's thread touches this, so it has no mutex.
struct Library {
  // Until it uses no descriptor and no memory of ours any more.
  plait::Coroutine<> idle() {
    while (in_flight > 0) {
      changed.clear();
      co_await changed.wait();
    }
  }
  void ended() {
    --in_flight;
    changed.set();
  }

  aio::EventLoop& loop;  // outlives all callbacks
  int in_flight = 0;
  aio::Event changed{};
};

// One read. The library writes into it at any time until it calls back, even if by then nobody
// waits any more: so it lies in no coroutine, and the library counts as one of its owners.
struct Read {
  Library& library;
  plait::Promise<std::string> promise;
  std::string buffer;
  aiocb request{};
};
//! [state]

//! [callback]
// The library calls this once for each read, in a thread of its own. An exception cannot pass
// through C, so there must be none.
void on_read(sigval value) noexcept {
  std::unique_ptr<std::shared_ptr<Read>> owner(
      static_cast<std::shared_ptr<Read>*>(value.sival_ptr));
  Read& read = **owner;
  const int error = aio_error(&read.request);
  const ssize_t size = aio_return(&read.request);
  if (read.promise.set_running_or_notify_cancel()) {  // false: it is cancelled, nobody waits
    if (error == 0) {
      read.buffer.resize(static_cast<std::size_t>(size));
      read.promise.set_result(std::move(read.buffer));
    } else {
      read.promise.set_exception(std::system_error(error, std::generic_category(), "aio_read"));
    }
  }
  Library& library = read.library;
  owner.reset();
  library.loop.call_soon_threadsafe([&library] { library.ended(); });  // its very last act
}
//! [callback]

//! [operation]
plait::Coroutine<std::string> read_at(Library& library, int fd, std::size_t size, off_t offset) {
  const auto read = std::make_shared<Read>(
      Read{library, library.loop.create_promise<std::string>(), std::string(size, '\0')});
  auto owner = std::make_unique<std::shared_ptr<Read>>(read);
  read->request.aio_fildes = fd;
  read->request.aio_buf = read->buffer.data();
  read->request.aio_nbytes = size;
  read->request.aio_offset = offset;
  read->request.aio_sigevent.sigev_notify = SIGEV_THREAD;
  read->request.aio_sigevent.sigev_notify_function = on_read;
  read->request.aio_sigevent.sigev_value.sival_ptr = owner.get();
  if (aio_read(&read->request) != 0) {  // refused: there will be no callback
    throw std::system_error(errno, std::generic_category(), "aio_read");
  }
  owner.release();  // on_read() has it now
  ++library.in_flight;
  try {
    co_return co_await read->promise.get_future();
  } catch (const plait::CancelledError&) {
    aio_cancel(fd, &read->request);  // ends it if it has not begun; calls back in any case
    throw;
  }
}
//! [operation]

// --- a program that uses it

// Descriptors that are closed at the end of the scope. The library must be idle by then: it would
// go on reading from whatever gets the same number next.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {
    if (fd < 0) throw std::system_error(errno, std::generic_category(), "no descriptor");
  }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() { close(); }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  int number() const { return fd_; }

 private:
  int fd_;
};

// A file without a name.
Descriptor temporary_file(std::string_view text) {
  std::string path = std::filesystem::temp_directory_path() / "wrap_callbacks.XXXXXX";
  Descriptor file(mkstemp(path.data()));
  unlink(path.c_str());
  if (write(file.number(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    throw std::system_error(errno, std::generic_category(), "write");
  }
  return file;
}

plait::Coroutine<> read_a_file(Library& library) {
  const Descriptor file = temporary_file("plums apples pears ");
  std::cout << co_await read_at(library, file.number(), 5, 0) << '\n';

  // Several at a time: the library may end them in any order.
  const auto [pears, apples, nothing] = co_await aio::gather(
      read_at(library, file.number(), 5, 13), read_at(library, file.number(), 6, 6),
      read_at(library, file.number(), 9, 19));
  std::cout << pears << ", " << apples << ", " << nothing.size() << " bytes at the end\n";

  try {
    co_await read_at(library, -1, 5, 0);
  } catch (const std::system_error& error) {
    std::cout << "failed: " << error.code().message() << '\n';
  }
}

// Nothing comes out of the pipe, so a thread of the library's is stuck in its read: that cannot be
// cancelled, only forgotten. It ends when the pipe does, long after the coroutine.
plait::Coroutine<> give_up(Library& library) {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  const Descriptor out(ends[0]);
  Descriptor in(ends[1]);
  try {
    co_await aio::wait_for(read_at(library, out.number(), 5, 0), 10ms);
  } catch (const plait::TimeoutError&) {
    std::cout << "timed out\n";
  }
  in.close();
  co_await library.idle();
  std::cout << "its callback came, and nobody was there\n";
}

int main() {
  aio::EventLoop loop;
  Library library{loop};
  loop.run_until_complete(read_a_file(library));
  loop.run_until_complete(give_up(library));
}
