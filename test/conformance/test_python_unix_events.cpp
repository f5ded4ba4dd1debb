// CPython's test_unix_events on sockets and pipes; its signals are in test_python_events. Left
// out: bound sockets as arguments, which these servers do not take.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <plait/aio.hpp>
#include <plait/io/streams.hpp>
#include <stdexcept>
#include <string>
#include <system_error>

#include "io/fd_transport.hpp"
#include "support/log_capture.hpp"
#include "support/nothing_left.hpp"
#include "support/on_loop.hpp"
#include "support/stream_work.hpp"

namespace plait::test {
namespace {

using aio::start_unix_server;
using detail::FdTransport;
using Kind = FdTransport::Kind;

TEST_SUITE_BEGIN("conformance/test_unix_events");

Coroutine<> ignore_client(ReaderPtr, WriterPtr) { co_return; }

// ---------------------------------------------------------------- servers

TEST_CASE_FIXTURE(
    NothingLeft,
    "start_unix_server: replaces a socket that nobody serves, and nothing else "
    "[cpython test_unix_events.UnixSocket.test_create_unix_server_existing_path_sock]") {
  on_loop([]() -> Coroutine<> {
    const SocketFolder folder;
    const auto stale = folder.path("stale"), file = folder.path("file");
    aio::StreamOptions options;
    options.cleanup_socket = false;
    (co_await start_unix_server(ignore_client, stale, options))->close();
    REQUIRE(std::filesystem::is_socket(stale));
    const auto server = co_await start_unix_server(ignore_client, stale);
    CHECK(server->is_serving());
    std::ofstream(file) << "kept";
    const auto error = co_await error_of(start_unix_server(ignore_client, file));
    CHECK(error == std::errc::address_in_use);
    CHECK(std::filesystem::file_size(file) == 4);
  });
}

// Whether it throws when it is called or when it is awaited.
Coroutine<> serve_by(aio::ClientConnected handler, std::filesystem::path path) {
  co_await start_unix_server(std::move(handler), std::move(path));
}

TEST_CASE_FIXTURE(NothingLeft,
                  "start_unix_server: refuses an empty path and an empty callback "
                  "[cpython test_unix_events.UnixSocket.test_create_unix_server_nopath_nosock]") {
  on_loop([]() -> Coroutine<> {
    const SocketFolder folder;
    const auto path = folder.path("socket"), too_long = folder.path(std::string(200, 'x').c_str());
    CHECK(co_await throws<std::invalid_argument>(serve_by(nullptr, path)));
    CHECK(co_await throws<std::invalid_argument>(start_unix_server(ignore_client, too_long)));
    CHECK(co_await throws<std::invalid_argument>(start_unix_server(ignore_client, "")));
  });
}

TEST_CASE_FIXTURE(NothingLeft,
                  "start_unix_server: throws what bind has failed by, and leaves no socket "
                  "[cpython test_unix_events.UnixSocket.test_create_unix_server_bind_error]") {
  on_loop([]() -> Coroutine<> {
    const SocketFolder folder;
    const auto descriptors = descriptor_count();
    const auto path = folder.path("no_such_folder") / "socket";
    const auto error = co_await error_of(start_unix_server(ignore_client, path));
    CHECK(error == std::errc::no_such_file_or_directory);
    CHECK(descriptor_count() == descriptors);
  });
}

// ---------------------------------------------------------------- pipes

class Recorder final : public aio::Protocol {
 public:
  void data_received(std::string_view data) override { received += data; }
  bool eof_received() override {
    ended = true;
    return false;
  }
  void connection_lost(std::exception_ptr error) override {
    lost = true;
    try {
      if (error) std::rethrow_exception(error);
    } catch (const std::system_error& failure) {
      code = failure.code();
    }
  }

  std::string received;
  std::error_code code;
  bool ended = false;
  bool lost = false;
};

struct Started {
  Started(int fd, Kind kind)
      : protocol(std::make_shared<Recorder>()),
        transport(std::make_shared<FdTransport>(detail::require_running_core(), detail::OwnedFd(fd),
                                                kind)) {
    transport->start(protocol);
  }

  std::shared_ptr<Recorder> protocol;
  std::shared_ptr<FdTransport> transport;
};

void write_to(int fd, std::string_view text) {
  REQUIRE(::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
}

TEST_CASE_FIXTURE(NothingLeft,
                  "read pipe: hands data on, and its end is the end "
                  "[cpython test_unix_events.ReadPipe.test_read_ready]") {
  on_loop([]() -> Coroutine<> {
    Pipe pipe;
    const Started started(pipe.release_reader(), Kind::read_pipe);
    const auto& protocol = *started.protocol;
    co_await ticks(5);
    CHECK((protocol.received.empty() && !protocol.lost));
    write_to(pipe.writer(), "data");
    CHECK(co_await comes_true([&] { return protocol.received == "data"; }));
    pipe.close_writer();
    CHECK(co_await comes_true([&] { return protocol.lost; }));
    CHECK((protocol.ended && !protocol.code));
    CHECK(started.transport->fileno() == -1);
    CHECK_THROWS_AS(started.transport->write("x"), RuntimeError);
  });
}

TEST_CASE_FIXTURE(NothingLeft, "read pipe: an error loses the connection") {
  on_loop([]() -> Coroutine<> {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    write_to(ends[0], "never read");
    const Started started(ends[0], Kind::read_pipe);
    ::close(ends[1]);
    CHECK(co_await comes_true([&] { return started.protocol->lost; }));
    CHECK(started.protocol->code == std::errc::connection_reset);
    CHECK_FALSE(started.protocol->ended);
  });
}

// Writes until the pipe takes no more.
std::size_t fill(int pipe) {
  ::fcntl(pipe, F_SETFL, O_NONBLOCK);
  const std::string page(4096, 'x');
  std::size_t total = 0;
  for (const std::size_t size : {page.size(), 1UL}) {
    for (ssize_t sent = 1; sent > 0;
         total += static_cast<std::size_t>(std::max<ssize_t>(sent, 0))) {
      sent = ::write(pipe, page.data(), size);
    }
  }
  return total;
}

// As many bytes as are asked for, without waiting for what the loop does.
std::string read_from(int pipe, std::size_t size) {
  std::string text(size, '\0');
  std::size_t got = 0;
  for (ssize_t count = 1; got < size && count > 0; got += static_cast<std::size_t>(count)) {
    count = ::read(pipe, text.data() + got, size - got);
  }
  return text;
}

TEST_CASE_FIXTURE(NothingLeft,
                  "write pipe: keeps what cannot be sent, in order "
                  "[cpython test_unix_events.WritePipe.test_write]") {
  on_loop([]() -> Coroutine<> {
    Pipe pipe;
    const Started started(::dup(pipe.writer()), Kind::write_pipe);
    auto& transport = *started.transport;
    transport.write("");
    transport.write("data");
    CHECK(transport.get_write_buffer_size() == 0);
    CHECK(read_from(pipe.reader(), 4) == "data");
    const std::size_t filling = fill(pipe.writer());
    transport.write("");
    CHECK(transport.get_write_buffer_size() == 0);
    transport.write("first ");
    transport.write("second");
    CHECK(transport.get_write_buffer_size() == 12);
    CHECK(read_from(pipe.reader(), filling) == std::string(filling, 'x'));
    transport.write("!");
    CHECK(co_await comes_true([&] { return transport.get_write_buffer_size() == 0; }));
    CHECK(read_from(pipe.reader(), 13) == "first second!");
    transport.close();
    co_await ticks(2);
    CHECK((started.protocol->lost && !started.protocol->code));
  });
}

TEST_CASE_FIXTURE(NothingLeft, "write pipe: sends a part, and keeps the rest") {
  on_loop([]() -> Coroutine<> {
    Pipe pipe;
    const Started started(pipe.release_writer(), Kind::write_pipe);
    auto& transport = *started.transport;
    const std::string much(3 << 20, 'y');
    transport.write(much);
    const auto kept = transport.get_write_buffer_size();
    CHECK((kept > 0 && kept < much.size()));
    transport.close();
    const auto reader = co_await aio::connect_read_pipe(pipe.release_reader());
    CHECK(co_await reader->read() == much);
    CHECK(co_await comes_true([&] { return started.protocol->lost; }));
    CHECK_FALSE(started.protocol->code);
  });
}

TEST_CASE_FIXTURE(NothingLeft,
                  "write pipe: an error while something waits to be sent "
                  "[cpython test_unix_events.WritePipe.test_write_ready]") {
  on_loop([]() -> Coroutine<> {
    Pipe pipe;
    fill(pipe.writer());
    const Started started(pipe.release_writer(), Kind::write_pipe);
    started.transport->write("data");
    CHECK(started.transport->get_write_buffer_size() == 4);
    pipe.close_reader();
    CHECK(co_await comes_true([&] { return started.protocol->lost; }));
    CHECK(started.protocol->code == std::errc::broken_pipe);
    CHECK(started.transport->get_write_buffer_size() == 0);
    CHECK(started.transport->fileno() == -1);
  });
}

TEST_CASE_FIXTURE(NothingLeft, "write pipe: nobody reads any more, and nothing was to be sent") {
  on_loop([]() -> Coroutine<> {
    Pipe pipe;
    const Started started(pipe.release_writer(), Kind::write_pipe);
    co_await ticks(3);
    CHECK_FALSE(started.protocol->lost);
    pipe.close_reader();
    CHECK(co_await comes_true([&] { return started.protocol->lost; }));
    CHECK_FALSE(started.protocol->code);  // as in asyncio: nothing was lost
  });
}

TEST_CASE_FIXTURE(NothingLeft, "write pipe: what is typed at a terminal does not end it") {
  on_loop([]() -> Coroutine<> {
    const int master = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    REQUIRE((::grantpt(master) == 0 && ::unlockpt(master) == 0));
    const int terminal = ::open(::ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    REQUIRE(terminal >= 0);
    const Started started(terminal, Kind::write_pipe);
    write_to(master, "typed\n");
    pollfd typed{terminal, POLLIN, 0};
    REQUIRE(::poll(&typed, 1, -1) == 1);
    co_await ticks(200);
    CHECK_FALSE(started.transport->is_closing());
    started.transport->abort();
    co_await ticks(2);
    ::close(master);
  });
}

// ---------------------------------------------------------------- descriptors of transports

TEST_CASE_FIXTURE(NothingLeft,
                  "add_reader: refuses the descriptor of a transport "
                  "[cpython test_unix_events.Functional.test_add_reader_or_writer_transport_fd]") {
  on_loop([]() -> Coroutine<> {
    auto& loop = aio::get_running_loop();
    Pipe pipe;
    const int fd = pipe.reader();
    const Started started(pipe.release_reader(), Kind::read_pipe);
    const auto text = text_of<RuntimeError>([&] { loop.add_reader(fd, [] {}); });
    CHECK(holds(text, "is used by a transport"));
    CHECK_THROWS_AS(loop.add_writer(fd, [] {}), RuntimeError);
    CHECK_THROWS_AS(loop.remove_reader(fd), RuntimeError);
    CHECK_THROWS_AS(loop.remove_writer(fd), RuntimeError);
    CHECK_THROWS_AS(loop.add_reader(-1, [] {}), std::system_error);
    write_to(pipe.writer(), "data");
    CHECK(co_await comes_true([&] { return started.protocol->received == "data"; }));
    started.transport->close();
    co_await ticks(2);
    CHECK_FALSE(loop.remove_reader(fd));
  });
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
