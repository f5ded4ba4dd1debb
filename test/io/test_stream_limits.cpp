// Streams and servers whose loop is closed, whose process is out of descriptors, and whose
// addresses are unusual.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <plait/aio.hpp>
#include <plait/io/streams.hpp>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "support/log_capture.hpp"
#include "support/loop_probe.hpp"
#include "support/nothing_left.hpp"
#include "support/on_loop.hpp"
#include "support/stream_work.hpp"

namespace plait::test {
namespace {

using aio::create_task;
using aio::open_connection;
using aio::start_server;

TEST_SUITE_BEGIN("io/streams");

Coroutine<> ignore_client(ReaderPtr, WriterPtr) { co_return; }

// ---------------------------------------------------------------- closed loops

// What lives on when the loop is gone; more is written than can be sent.
Coroutine<Ends> leave_open(Family family) {
  const Place place(family);
  auto ends = co_await connected(place);
  ends.writer->write(std::string(8UL << 20, 'x'));
  ends.far_writer->write("unread");
  CHECK(co_await ends.reader->readexactly(2) == "un");
  co_return ends;
}

void use_after_close(const Ends& ends) {
  CHECK_FALSE(ends.server->is_serving());
  ends.server->close();
  ends.writer->write("more");
  ends.writer->close();
  ends.far_writer->abort();
  CHECK(ends.writer->is_closing());
  CHECK(ends.writer->transport().fileno() == -1);
}

TEST_CASE("loop.close: closes all descriptors, and streams and servers outlive it") {
  for (const Family family : families) {
    const auto descriptors = descriptor_count();
    std::optional<aio::EventLoop> loop(std::in_place);
    const auto ends = loop->run_until_complete(leave_open(family));
    loop->close();
    CHECK(ends.writer->transport().fileno() == -1);
    CHECK(ends.far_writer->transport().fileno() == -1);
    CHECK(descriptor_count() == descriptors);
    loop.reset();
    use_after_close(ends);
  }
}

Coroutine<> wait_in_frame(Ends ends) { co_await ends.reader->read(); }
Coroutine<> drain_in_frame(Ends ends) {
  ends.far_writer->write(std::string(16UL << 20, 'x'));
  co_await ends.far_writer->drain();
}
Coroutine<> serve_in_frame(Ends ends) { co_await ends.server->serve_forever(); }
Coroutine<> accept_and_wait(ReaderPtr reader, WriterPtr) { co_await reader->read(); }

// Tasks that wait, in whose frames all the rest lives.
Coroutine<> leave_tasks(std::vector<aio::Task<>>& tasks, Family family) {
  const Place place(family);
  for (const auto wait : {wait_in_frame, drain_in_frame, serve_in_frame}) {
    tasks.push_back(create_task(wait(co_await connected(place))));
  }
  const Place other(family);
  const auto server = co_await other.serve(accept_and_wait);
  co_await other.connect(*server);
  co_await ticks(10);
}

TEST_CASE_FIXTURE(NothingLeft, "loop.close: destroys who waits for a connection, and that too") {
  const LogCapture log;
  for (const Family family : families) {
    std::vector<aio::Task<>> tasks;
    aio::EventLoop loop;
    loop.run_until_complete(leave_tasks(tasks, family));
    for (const auto& task : tasks) CHECK_FALSE(task.done());
    loop.close();
    for (const auto& task : tasks) CHECK(task.cancelled());
  }
}

Coroutine<> close_and_leave(std::optional<Ends>& kept) {
  const Place place(Family::tcp);
  kept = co_await connected(place);
  kept->writer->close();
  kept->far_writer->abort();
  kept->server->close();
}

TEST_CASE_FIXTURE(NothingLeft, "loop.close: right after connections were closed") {
  std::optional<Ends> kept;
  {
    aio::EventLoop loop;
    loop.run_until_complete(close_and_leave(kept));
  }
  CHECK(kept->writer->is_closing());
}

// ---------------------------------------------------------------- out of descriptors

// Connects while nobody accepts yet.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }
  ~RawClient() { ::close(fd_); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

 private:
  const int fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
};

// No new descriptor can be had as long as this lives.
class NoDescriptors {
 public:
  NoDescriptors() {
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
    const int free = ::dup(0);
    REQUIRE(free >= 0);
    ::close(free);
    const rlimit none{static_cast<rlim_t>(free), before_.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  }
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;

 private:
  rlimit before_{};
};

TEST_CASE_FIXTURE(NothingLeft, "server: out of descriptors it says so once, and goes on later") {
  on_loop([]() -> Coroutine<> {
    Reports reports(aio::get_running_loop());
    int accepted = 0;
    const auto server = co_await start_server(
        [&](ReaderPtr, WriterPtr) {
          ++accepted;
          return nothing_more();
        },
        "127.0.0.1", 0);
    const RawClient first(server->port()), second(server->port());
    {
      const NoDescriptors none;
      CHECK(co_await comes_true([&] { return reports.size() > 0; }));
      co_await ticks(100);
    }
    CHECK(reports.size() == 1);
    CHECK(reports.message() == "socket.accept() out of system resource");
    CHECK(reports.holds_error<std::system_error>());
    co_await aio::sleep(std::chrono::milliseconds(900));
    CHECK(accepted == 0);
    co_await aio::sleep(std::chrono::milliseconds(200));
    CHECK(co_await comes_true([&] { return accepted == 2; }));
    CHECK(reports.size() == 1);
  });
}

TEST_CASE_FIXTURE(NothingLeft, "open_connection: out of descriptors it throws") {
  on_loop([]() -> Coroutine<> {
    const auto server = co_await start_server(ignore_client, "127.0.0.1", 0);
    const NoDescriptors none;
    const auto error = co_await error_of(open_connection("127.0.0.1", server->port()));
    CHECK(error == std::errc::too_many_files_open);
  });
}

TEST_CASE_FIXTURE(NothingLeft, "connect_read_pipe: out of descriptors for the selector it throws") {
  on_loop([]() -> Coroutine<> {
    Pipe pipe;
    const NoDescriptors none;
    const auto error = co_await error_of(aio::connect_read_pipe(pipe.release_reader()));
    CHECK(error == std::errc::too_many_files_open);
  });
}

// ---------------------------------------------------------------- full disks

TEST_CASE_FIXTURE(NothingLeft, "drain: tells that the disk is full") {
  on_loop([]() -> Coroutine<> {
    const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
    REQUIRE(full >= 0);
    const auto writer = co_await aio::connect_write_pipe(full);
    writer->write("too much");
    CHECK(writer->is_closing());
    CHECK(co_await error_of(writer->drain()) == std::errc::no_space_on_device);
    CHECK(co_await error_of(writer->wait_closed()) == std::errc::no_space_on_device);
  });
}

// ---------------------------------------------------------------- addresses

Coroutine<> race(std::uint16_t port) {
  aio::StreamOptions options;
  options.happy_eyeballs_delay = Duration(0);
  co_await open_connection("", port, options);
}

TEST_CASE_FIXTURE(NothingLeft, "open_connection: closes the connections that lose the race") {
  on_loop([]() -> Coroutine<> {
    const auto v4 = co_await start_server(ignore_client, "127.0.0.1", 0);
    ServerPtr v6;  // stays null where there is no IPv6
    try {
      v6 = co_await start_server(ignore_client, "::1", v4->port());
    } catch (const std::system_error&) {
    }
    for (int i = 0; i < 50; ++i) co_await race(v4->port());
  });
}

TEST_CASE_FIXTURE(NothingLeft, "names: of both sides are the other's, the other way round") {
  on_loop([]() -> Coroutine<> {
    const Place tcp(Family::tcp), local(Family::local);
    const auto ends = co_await connected(tcp);
    CHECK(ends.writer->peername() == "127.0.0.1:" + std::to_string(ends.server->port()));
    CHECK(ends.writer->peername() == ends.far_writer->sockname());
    CHECK(ends.writer->sockname() == ends.far_writer->peername());
    const auto others = co_await connected(local);
    CHECK(others.writer->peername() == others.server->sockets().at(0));
    CHECK(others.writer->sockname() == "");
    CHECK(others.server->port() == 0);
  });
}

// Listens at an abstract address, as other programs do: its name is all the bytes of its length.
int listen_at_abstract(const std::string& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, name.data(), name.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0);
  REQUIRE(::listen(fd, 1) == 0);
  return fd;
}

TEST_CASE_FIXTURE(NothingLeft, "open_unix_connection: reaches an abstract address") {
  on_loop([]() -> Coroutine<> {
    const std::string name = std::string(1, '\0') + "plait_test_" + std::to_string(::getpid());
    const int listener = listen_at_abstract(name);
    const auto error = co_await error_of(aio::open_unix_connection(name));
    CHECK_FALSE(error);
    ::close(listener);
  });
}

// ---------------------------------------------------------------- readers

Coroutine<std::string> waiting_for(aio::Task<std::string> task) { co_return co_await task; }

TEST_CASE("read: a second task that waits is refused") {
  on_loop([]() -> Coroutine<> {
    aio::StreamReader reader;
    const auto first = create_task(reader.read(10));
    co_await aio::yield();
    CHECK(co_await throws<RuntimeError>(reader.readline()));
    reader.feed_data("data");
    CHECK(co_await first == "data");
  });
}

// A reader whose memory stays, so that it shows what is written after the reader's end.
class Grave {
 public:
  aio::StreamReader& reader() { return *reader_; }
  void bury() {
    std::destroy_at(reader_);
    memory_.fill(pattern);
  }
  bool untouched() const {
    return std::ranges::all_of(memory_, [](std::byte byte) { return byte == pattern; });
  }

 private:
  static constexpr std::byte pattern{0xa5};

  alignas(aio::StreamReader) std::array<std::byte, sizeof(aio::StreamReader)> memory_;
  aio::StreamReader* const reader_ = ::new (memory_.data()) aio::StreamReader();
};

TEST_CASE("reader: dropping it ends a read that waits, which touches it no more") {
  on_loop([]() -> Coroutine<> {
    Grave grave;
    auto waiting = create_task(grave.reader().read(1));
    co_await aio::yield();
    grave.bury();
    CHECK(co_await throws<RuntimeError>(waiting_for(waiting)));
    CHECK(grave.untouched());
  });
}

TEST_CASE("reader: dropping it after data has come leaves the data to who waits for them") {
  on_loop([]() -> Coroutine<> {
    Grave grave;
    auto waiting = create_task(grave.reader().readline());
    co_await aio::yield();
    grave.reader().feed_data("line\nmore");
    grave.bury();
    CHECK(co_await waiting == "line\n");
    CHECK(grave.untouched());
  });
}

TEST_CASE("reader: a read that begins after the reader's end, and cannot be had, throws") {
  on_loop([]() -> Coroutine<> {
    Grave grave;
    auto late = grave.reader().readexactly(2);
    grave.reader().feed_data("x");
    grave.bury();
    CHECK(co_await throws<RuntimeError>(std::move(late)));
    CHECK(grave.untouched());
  });
}

TEST_CASE("lines: one after the other, the last one without its end") {
  on_loop([]() -> Coroutine<> {
    aio::StreamReader reader;
    reader.feed_data("one\ntwo\n\nlast");
    reader.feed_eof();
    std::vector<std::string> lines;
    auto generator = reader.lines();
    while (auto line = co_await generator.next()) lines.push_back(*line);
    CHECK(lines == std::vector<std::string>{"one\n", "two\n", "\n", "last"});
  });
}

TEST_CASE("readline: a line over the limit is dropped, and the next one can be read") {
  on_loop([]() -> Coroutine<> {
    aio::StreamReader reader(4);
    reader.feed_data("far too long\nnext\n");
    CHECK(co_await throws<std::invalid_argument>(reader.readline()));
    CHECK(co_await reader.readline() == "next\n");
  });
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
