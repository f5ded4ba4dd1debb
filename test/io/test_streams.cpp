// Streams beyond CPython's own cases: back-pressure, half-closed and lost connections, and what
// becomes of a connection whose owner, task or loop is gone.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <memory>
#include <plait/aio.hpp>
#include <plait/io/streams.hpp>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "support/loop_probe.hpp"
#include "support/nothing_left.hpp"
#include "support/on_loop.hpp"
#include "support/stream_work.hpp"

namespace plait::test {
namespace {

using aio::create_task;
using aio::open_connection;

TEST_SUITE_BEGIN("io/streams");

constexpr std::size_t mebibyte = 1UL << 20;

// Bytes of which no two neighbouring pieces are alike.
std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  std::uint32_t state = 1;
  for (char& byte : text) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<char>(state >> 24);
  }
  return text;
}

Coroutine<> send_all(aio::StreamWriter& writer, const std::string& text) {
  constexpr std::size_t piece = 50'000;
  for (std::size_t sent = 0; sent < text.size(); sent += piece) {
    writer.write(std::string_view(text).substr(sent, piece));
    co_await writer.drain();
  }
  writer.write_eof();
}

// ---------------------------------------------------------------- back-pressure

Coroutine<> read_late(Family family) {
  const Place place(family);
  auto ends = co_await connected(place);
  const std::string text = pattern(8 * mebibyte);
  const auto sending = create_task(send_all(*ends.far_writer, text));
  const auto& transport = ends.writer->transport();
  CHECK(co_await comes_true([&] { return !transport.is_reading(); }));
  co_await ticks(100);
  CHECK_FALSE(sending.done());
  CHECK(ends.far_writer->transport().get_write_buffer_size() < mebibyte);
  std::string got = co_await ends.reader->read(static_cast<std::ptrdiff_t>(text.size()));
  CHECK(got.size() > 128 * 1024);
  CHECK(got.size() <= 128 * 1024 + 256 * 1024);
  got += co_await ends.reader->read();
  CHECK(got == text);
  co_await sending;
}

TEST_CASE_FIXTURE(NothingLeft, "read: a late reader makes the writer wait, and gets all in order") {
  for (const Family family : families) on_loop([=] { return read_late(family); });
}

// ---------------------------------------------------------------- half-closed

Coroutine<> answer_all(ReaderPtr reader, WriterPtr writer) {
  const std::string question = co_await reader->read();
  writer->write("you said: " + question);
  co_await writer->drain();
}

Coroutine<> ask(Family family) {
  const Place place(family);
  const auto server = co_await place.serve(answer_all);
  const auto [reader, writer] = co_await place.connect(*server);
  CHECK(writer->can_write_eof());
  writer->write("hello");
  writer->write_eof();
  writer->write_eof();
  CHECK_THROWS_AS(writer->write("more"), RuntimeError);
  CHECK_FALSE(writer->is_closing());
  CHECK(co_await reader->read() == "you said: hello");
}

TEST_CASE_FIXTURE(NothingLeft, "write_eof: the other side sees the end, and still answers") {
  for (const Family family : families) on_loop([=] { return ask(family); });
}

TEST_CASE_FIXTURE(NothingLeft, "write_eof: comes after what waits to be sent") {
  on_loop([]() -> Coroutine<> {
    const Place place(Family::tcp);
    auto ends = co_await connected(place);
    const std::string text = pattern(8 * mebibyte);
    ends.writer->write(text);
    CHECK(ends.writer->transport().get_write_buffer_size() > 0);
    ends.writer->write_eof();
    CHECK(co_await ends.far_reader->read() == text);
    ends.far_writer->write("thanks");
    CHECK(co_await ends.reader->readexactly(6) == "thanks");
  });
}

// ---------------------------------------------------------------- lost connections

// The next close() of this connection is a reset.
void close_by_reset(const aio::StreamWriter& writer) {
  const linger at_once{1, 0};
  const int fd = writer.transport().fileno();
  REQUIRE(::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
}

TEST_CASE_FIXTURE(NothingLeft, "reset by the peer: whoever waits or comes later hears of it") {
  on_loop([]() -> Coroutine<> {
    const Place place(Family::tcp);
    auto ends = co_await connected(place);
    const auto reading = create_task(error_of(ends.reader->readline()));
    const auto closed = create_task(error_of(ends.writer->wait_closed()));
    close_by_reset(*ends.far_writer);
    ends.far_writer->abort();
    CHECK(co_await reading == std::errc::connection_reset);
    CHECK(co_await closed == std::errc::connection_reset);
    CHECK(co_await error_of(ends.reader->read(10)) == std::errc::connection_reset);
    CHECK(co_await error_of(ends.writer->drain()) == std::errc::connection_reset);
    CHECK(ends.writer->is_closing());
    ends.writer->write("into the void");
  });
}

TEST_CASE_FIXTURE(NothingLeft, "reset by the peer: a drain that waits throws") {
  on_loop([]() -> Coroutine<> {
    const Place place(Family::tcp);
    auto ends = co_await connected(place);
    ends.writer->write(pattern(16 * mebibyte));
    const auto draining = create_task(error_of(ends.writer->drain()));
    co_await ticks(5);
    CHECK_FALSE(draining.done());
    close_by_reset(*ends.far_writer);
    ends.far_writer->abort();
    const auto error = co_await draining;
    CHECK((error == std::errc::connection_reset || error == std::errc::broken_pipe));
  });
}

TEST_CASE_FIXTURE(NothingLeft, "drain: throws once this side has closed") {
  on_loop([]() -> Coroutine<> {
    const Place place(Family::local);
    auto ends = co_await connected(place);
    ends.writer->close();
    co_await ends.writer->wait_closed();
    CHECK(co_await error_of(ends.writer->drain()) == std::errc::connection_reset);
  });
}

// ---------------------------------------------------------------- owners that go

Coroutine<> drop_writer(Family family) {
  const Place place(family);
  auto ends = co_await connected(place);
  const std::string text = pattern(4 * mebibyte);
  ends.writer->write(text);
  ends.writer.reset();
  CHECK(co_await ends.far_reader->read() == text);
  CHECK(co_await ends.reader->read() == "");
}

TEST_CASE_FIXTURE(NothingLeft, "writer: dropping it sends what was written, and closes") {
  for (const Family family : families) on_loop([=] { return drop_writer(family); });
}

Coroutine<> drop_reader(bool full) {
  const Place place(Family::tcp);
  auto ends = co_await connected(place);
  const std::string text = pattern(8 * mebibyte);
  const auto sending = create_task(send_all(*ends.far_writer, text));
  const auto& transport = ends.writer->transport();
  if (full) CHECK(co_await comes_true([&] { return !transport.is_reading(); }));
  ends.reader.reset();
  CHECK(co_await comes_true([&] { return sending.done(); }));
  ends.writer->write("still here");
  CHECK(co_await ends.far_reader->readexactly(10) == "still here");
  sending.cancel();
  co_await settle(sending);
}

TEST_CASE_FIXTURE(NothingLeft, "reader: dropping it discards what comes") {
  on_loop([] { return drop_reader(false); });
}

TEST_CASE_FIXTURE(NothingLeft, "reader: dropping one that is full lets the sender go on") {
  on_loop([] { return drop_reader(true); });
}

TEST_CASE_FIXTURE(NothingLeft, "server: dropping it closes it, and not its connections") {
  on_loop([]() -> Coroutine<> {
    const Place place(Family::tcp);
    auto ends = co_await connected(place);
    const auto port = ends.server->port();
    ends.server.reset();
    CHECK(co_await error_of(open_connection("127.0.0.1", port)) == std::errc::connection_refused);
    ends.writer->write("alive\n");
    CHECK(co_await ends.far_reader->readline() == "alive\n");
  });
}

// ---------------------------------------------------------------- cancelled tasks

using MakeRead = Coroutine<std::string> (*)(aio::StreamReader&);
constexpr std::array<MakeRead, 5> reads{
    [](aio::StreamReader& reader) { return reader.read(-1); },
    [](aio::StreamReader& reader) { return reader.readexactly(100); },
    [](aio::StreamReader& reader) { return reader.readline(); },
    [](aio::StreamReader& reader) { return reader.readuntil("END"); },
    [](aio::StreamReader& reader) { return reader.readuntil(std::vector<std::string>(1, "END")); },
};

Coroutine<> cancel_read(MakeRead make_read) {
  aio::StreamReader reader;
  const auto read = create_task(make_read(reader));
  co_await ticks(2);
  reader.feed_data("some ");
  co_await ticks(2);
  reader.feed_data("data");
  read.cancel();  // it was woken already
  co_await settle(read);
  CHECK(read.cancelled());
  CHECK(co_await reader.read(100) == "some data");
}

TEST_CASE("read: cancelling it loses nothing") {
  for (const MakeRead make_read : reads) on_loop([=] { return cancel_read(make_read); });
}

Coroutine<> wait_for_ever(ReaderPtr reader, WriterPtr) {
  co_await reader->read();
  co_await aio::sleep(std::chrono::hours(1000));
}

TEST_CASE_FIXTURE(NothingLeft, "client handler: cancelling its task closes the connection") {
  on_loop([]() -> Coroutine<> {
    const Reports reports(aio::get_running_loop());
    const Place place(Family::tcp);
    const auto server = co_await place.serve(wait_for_ever);
    const auto [reader, writer] = co_await place.connect(*server);
    const auto count = [] { return aio::all_tasks(aio::get_running_loop()).size(); };
    CHECK(co_await comes_true([&] { return count() == 2; }));
    const auto self = aio::current_task();
    for (auto task : aio::all_tasks(aio::get_running_loop())) {
      if (task != self) task.cancel();
    }
    CHECK(co_await reader->read() == "");
    CHECK(reports.size() == 0);
  });
}

TEST_CASE_FIXTURE(NothingLeft, "connect_read_pipe: takes the descriptor even if it never runs") {
  on_loop([]() -> Coroutine<> {
    Pipe pipe;
    const int fd = pipe.release_reader();
    const auto task = create_task(aio::connect_read_pipe(fd));
    task.cancel();
    co_await settle(task);
    const bool open = ::fcntl(fd, F_GETFD) >= 0;
    CHECK_FALSE(open);
    if (open) ::close(fd);
  });
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
