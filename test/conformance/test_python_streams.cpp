// CPython's test_streams. Left out: repr, the loop= argument, TLS, bound sockets as arguments.
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <exception>
#include <memory>
#include <plait/aio.hpp>
#include <plait/io/streams.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "io/fd_transport.hpp"
#include "support/loop_probe.hpp"
#include "support/nothing_left.hpp"
#include "support/on_loop.hpp"
#include "support/socket_pair.hpp"
#include "support/stream_work.hpp"

namespace plait::test {
namespace {

using aio::create_task;
using aio::yield;

TEST_SUITE_BEGIN("conformance/test_streams");

struct ValueError : std::runtime_error {
  ValueError() : std::runtime_error("value") {}
};

// ---------------------------------------------------------------- connections

Coroutine<> answer_request(ReaderPtr reader, WriterPtr writer) {
  CHECK(co_await reader->readline() == "GET / HTTP/1.0\r\n");
  writer->write("HTTP/1.0 200 OK\r\n");
  writer->write("Content-length: 12\r\n\r\nTest message");
  writer->close();
}

Coroutine<> request(Family family) {
  const Reports reports(aio::get_running_loop());
  const Place place(family);
  const auto server = co_await place.serve(answer_request);
  const auto [reader, writer] = co_await place.connect(*server);
  writer->write("GET / HTTP/1.0\r\n\r\n");
  CHECK(co_await reader->readline() == "HTTP/1.0 200 OK\r\n");
  CHECK((co_await reader->read()).ends_with("\r\n\r\nTest message"));
  writer->close();
  co_await writer->wait_closed();
  CHECK(reports.size() == 0);
}

TEST_CASE_FIXTURE(NothingLeft,
                  "open_connection: carries a request and its answer up to the end "
                  "[cpython test_streams.test_open_connection]") {
  for (const Family family : families) on_loop([=] { return request(family); });
}

Coroutine<> echo_line(ReaderPtr reader, WriterPtr writer) {
  writer->write(co_await reader->readline());
  co_await writer->drain();
  writer->close();
  co_await writer->wait_closed();
}

// What is a plain callback in Python: it makes its own task.
Coroutine<> echo_line_in_task(ReaderPtr reader, WriterPtr writer) {
  create_task(echo_line(std::move(reader), std::move(writer)));
  co_return;
}

Coroutine<> echo(Family family, aio::ClientConnected handler) {
  const Reports reports(aio::get_running_loop());
  const Place place(family);
  const auto server = co_await place.serve(std::move(handler));
  const auto [reader, writer] = co_await place.connect(*server);
  writer->write("hello world!\n");
  CHECK(co_await reader->readline() == "hello world!\n");
  CHECK(co_await reader->read() == "");
  writer->close();
  co_await writer->wait_closed();
  server->close();
  co_await server->wait_closed();
  CHECK(reports.size() == 0);
}

TEST_CASE_FIXTURE(NothingLeft,
                  "start_server: gives each connection to the callback "
                  "[cpython test_streams.test_start_server]") {
  for (const Family family : families) {
    on_loop([=] { return echo(family, echo_line); });
    on_loop([=] { return echo(family, echo_line_in_task); });
  }
}

Coroutine<> close_with_unread_data(Family family) {
  const Place place(family);
  auto ends = co_await connected(place);
  ends.far_writer->write("first\nsecond\n");
  CHECK(co_await ends.reader->readline() == "first\n");
  CHECK_FALSE(ends.writer->is_closing());
  ends.writer->close();
  CHECK(ends.writer->is_closing());
  co_await ends.writer->wait_closed();
  CHECK(co_await ends.reader->read() == "second\n");
}

TEST_CASE_FIXTURE(NothingLeft,
                  "close: wait_closed returns, and what has come can still be read "
                  "[cpython test_streams.test_wait_closed_on_close]") {
  for (const Family family : families) on_loop([=] { return close_with_unread_data(family); });
}

TEST_CASE_FIXTURE(NothingLeft,
                  "close: the reader of this side is at its end "
                  "[cpython test_streams.test_eof_feed_when_closing_writer]") {
  on_loop([]() -> Coroutine<> {
    const Place place(Family::tcp);
    auto ends = co_await connected(place);
    CHECK_FALSE(ends.reader->at_eof());
    ends.writer->close();
    co_await ends.writer->wait_closed();
    CHECK(ends.reader->at_eof());
    CHECK(co_await ends.reader->read() == "");
  });
}

Coroutine<> fail_at_once(ReaderPtr, WriterPtr) {
  co_await yield();
  throw ValueError();
}

TEST_CASE_FIXTURE(NothingLeft,
                  "start_server: what the callback throws is reported, and closes the connection "
                  "[cpython test_streams.test_unhandled_exception]") {
  on_loop([]() -> Coroutine<> {
    const Reports reports(aio::get_running_loop());
    const Place place(Family::tcp);
    const auto server = co_await place.serve(fail_at_once);
    const auto [reader, writer] = co_await place.connect(*server);
    CHECK(co_await reader->read() == "");
    REQUIRE(reports.size() == 1);
    CHECK(reports.message() == "Unhandled exception in client_connected_cb");
    CHECK(reports.holds_error<ValueError>());
  });
}

// ---------------------------------------------------------------- drain

TEST_CASE_FIXTURE(NothingLeft,
                  "drain: all who wait go on when writing may go on "
                  "[cpython test_streams.test_multiple_drain]") {
  on_loop([]() -> Coroutine<> {
    const Place place(Family::local);
    auto ends = co_await connected(place);
    const auto protocol = ends.writer->transport().get_protocol();
    protocol->pause_writing();
    std::vector<aio::Task<>> drains;
    for (int i = 0; i < 10; ++i) drains.push_back(create_task(ends.writer->drain()));
    co_await ticks(3);
    for (const auto& drain : drains) CHECK_FALSE(drain.done());
    protocol->resume_writing();
    for (const auto& drain : drains) co_await drain;
  });
}

class CountPauses final : public aio::Protocol {
 public:
  void pause_writing() override { ++pauses; }
  int pauses = 0;
};

// Sends until nothing more can be sent.
void fill(int fd) {
  const std::string much(4096, 'x');
  for (const std::size_t size : {much.size(), 1UL}) {
    while (::send(fd, much.data(), size, MSG_DONTWAIT) > 0) {
    }
  }
}

TEST_CASE_FIXTURE(NothingLeft,
                  "set_write_buffer_limits: pauses the protocol above the high limit only "
                  "[cpython derived.transport_write_limits]") {
  on_loop([]() -> Coroutine<> {
    const SocketPair sockets;
    fill(sockets.near());
    const auto transport = std::make_shared<detail::FdTransport>(
        detail::require_running_core(), detail::OwnedFd(::dup(sockets.near())),
        detail::FdTransport::Kind::socket);
    const auto protocol = std::make_shared<CountPauses>();
    transport->start(protocol);
    CHECK_THROWS_AS(transport->set_write_buffer_limits(0, 1), std::invalid_argument);
    transport->set_write_buffer_limits(1024, 128);
    transport->write(std::string(512, 'x'));
    CHECK(transport->get_write_buffer_size() == 512);
    CHECK(protocol->pauses == 0);
    transport->set_write_buffer_limits(256, 128);
    CHECK(protocol->pauses == 1);
    transport->abort();
    co_await ticks(2);
  });
}

// ---------------------------------------------------------------- pipes

TEST_CASE_FIXTURE(NothingLeft,
                  "connect_read_pipe: reads all that a child wrote, whatever the limit "
                  "[cpython test_streams.test_read_all_from_pipe_reader]") {
  on_loop([]() -> Coroutine<> {
    Pipe pipe;
    const pid_t child = ::fork();
    if (child == 0) ::_exit(::write(pipe.writer(), "data", 4) == 4 ? 0 : 1);
    pipe.close_writer();
    aio::StreamOptions options;
    options.limit = 1;
    const auto reader = co_await aio::connect_read_pipe(pipe.release_reader(), options);
    CHECK(co_await reader->read(-1) == "data");
    CHECK(::waitpid(child, nullptr, 0) == child);
  });
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
