// Connections that begin without TLS and go on by it.
#include <doctest/doctest.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <memory>
#include <plait/aio.hpp>
#include <plait/io/connections.hpp>
#include <plait/io/streams.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "support/nothing_left.hpp"
#include "support/on_loop.hpp"
#include "support/stream_work.hpp"
#include "support/tls_identity.hpp"

namespace plait::test {
namespace {

// Waits for a line, and goes on by TLS with what it is asked for.
Coroutine<> upgrade_and_echo(ReaderPtr reader, WriterPtr writer, TlsContext context) {
  const std::string line = co_await reader->readline();
  if (line != "STARTTLS\n") co_return;
  writer->write("go\n");
  co_await ticks(20);  // what the client has sent at once is here, too
  const auto error = co_await error_of(writer->start_tls(std::move(context)));
  while (!error) {
    const std::string data = co_await reader->read(1 << 16);
    if (data.empty()) co_return;
    writer->write(data);
    co_await writer->drain();
  }
}

Coroutine<ServerPtr> serve(const Place& place, TlsContext context) {
  return place.serve([context](ReaderPtr reader, WriterPtr writer) {
    return upgrade_and_echo(std::move(reader), std::move(writer), context);
  });
}

Coroutine<aio::Streams> connect_plainly(const Place& place, const aio::Server& server) {
  auto connecting = place.connect(server);
  auto streams = co_await std::move(connecting);
  streams.second->write("STARTTLS\n");
  const std::string answer = co_await streams.first->readline();
  if (answer != "go\n") throw std::runtime_error("the server does not go on");
  co_return streams;
}

Coroutine<> end(ServerPtr server) {
  server->close();
  co_await server->wait_closed();
}

std::pair<int, int> socket_ends() {
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
  return {ends[0], ends[1]};
}

TEST_SUITE_BEGIN("io/start_tls");

Coroutine<> talk_by_tls(const Identity& identity, Family family) {
  const Place place(family);
  const auto server = co_await serve(place, identity.server());
  const auto [reader, writer] = co_await connect_plainly(place, *server);
  co_await writer->start_tls(identity.client_that_trusts_it(), "localhost");
  CHECK_FALSE(writer->can_write_eof());  // it is TLS
  const std::string data(3UL << 20, 'x');
  writer->write(data);
  CHECK(co_await reader->readexactly(data.size()) == data);
  writer->close();
  co_await writer->wait_closed();
  CHECK(co_await reader->read() == "");
  co_await end(server);
}

TEST_CASE_FIXTURE(NothingLeft,
                  "start_tls: both sides go on by TLS [cpython "
                  "test_sslproto.test_start_tls_client_1]") {
  const Identity identity;
  for (const Family family : families) aio::run(talk_by_tls(identity, family));
}

// The first bytes of the handshake come with the line before it.
Coroutine<> upgrade_quietly(ReaderPtr reader, WriterPtr writer, TlsContext context) {
  const std::string line = co_await reader->readline();
  if (line != "STARTTLS\n") co_return;
  co_await ticks(20);
  co_await writer->start_tls(std::move(context));
  writer->write(co_await reader->readline());
}

Coroutine<> hurry(const Identity& identity) {
  const Place place(Family::local);
  const auto upgrade = [context = identity.server()](ReaderPtr reader, WriterPtr writer) {
    return upgrade_quietly(std::move(reader), std::move(writer), context);
  };
  const auto server = co_await place.serve(upgrade);
  const auto [reader, writer] = co_await place.connect(*server);
  writer->write("STARTTLS\n");
  auto upgrading = aio::create_task(writer->start_tls(identity.client_that_trusts_it()));
  co_await aio::yield();
  writer->write("secret\n");  // waits for the end of the handshake
  co_await upgrading;
  CHECK(co_await reader->readline() == "secret\n");
  writer->close();
  co_await end(server);
}

TEST_CASE_FIXTURE(NothingLeft,
                  "start_tls: what the reader holds unread is the beginning of the handshake") {
  const Identity identity;
  aio::run(hurry(identity));
}

Coroutine<> meet_a_stranger(const Identity& identity, TlsContext client, std::string host) {
  const Place place(Family::local);
  const auto server = co_await serve(place, identity.server());
  const auto [reader, writer] = co_await connect_plainly(place, *server);
  CHECK(co_await error_of(writer->start_tls(std::move(client), std::move(host))));
  CHECK(co_await error_of(writer->wait_closed()));
  CHECK(co_await error_of(reader->read()));
  co_await end(server);
}

TEST_CASE_FIXTURE(NothingLeft, "start_tls: a handshake that fails ends the connection") {
  const Identity identity;
  aio::run(meet_a_stranger(identity, Identity::client_that_trusts_nobody(), "localhost"));
  aio::run(meet_a_stranger(identity, identity.client_that_trusts_it(), "elsewhere.test"));
}

Coroutine<> stop_waiting(const Identity& identity) {
  const Place place(Family::local);
  auto connecting = connected(place);
  const auto ends = co_await std::move(connecting);  // nobody goes on by TLS there
  auto upgrading = aio::create_task(ends.writer->start_tls(identity.client_that_trusts_it()));
  co_await ticks(5);
  upgrading.cancel();
  co_await settle(upgrading);
  CHECK(upgrading.cancelled());
  CHECK(ends.writer->is_closing());
  co_await ends.far_reader->read();  // ends
}

TEST_CASE_FIXTURE(NothingLeft, "start_tls: cancelling it closes the connection") {
  const Identity identity;
  aio::run(stop_waiting(identity));
}

Coroutine<> take_too_long(const Identity& identity) {
  const Place place(Family::local);
  auto connecting = connected(place);
  const auto ends = co_await std::move(connecting);
  const auto limit = std::chrono::milliseconds(5);
  auto upgrading = ends.writer->start_tls(identity.client_that_trusts_it(), {}, limit);
  CHECK(co_await error_of(std::move(upgrading)) == std::errc::connection_aborted);
}

TEST_CASE_FIXTURE(NothingLeft, "start_tls: a handshake that takes too long ends the connection") {
  const Identity identity;
  aio::run(take_too_long(identity));
}

Coroutine<> upgrade_what_cannot_be(const Identity& identity) {
  const Place place(Family::local);
  auto connecting = connected(place);
  const auto ends = co_await std::move(connecting);
  const auto context = identity.client_that_trusts_it();
  CHECK(co_await throws<std::invalid_argument>(ends.writer->start_tls(nullptr)));
  CHECK_FALSE(ends.writer->is_closing());  // it can be used as before
  ends.writer->write("plain\n");
  CHECK(co_await ends.far_reader->readline() == "plain\n");
  ends.far_writer->write_eof();
  CHECK(co_await ends.reader->read() == "");
  CHECK(co_await error_of(ends.writer->start_tls(context)) == std::errc::connection_reset);
  Pipe pipe;
  const auto writer = co_await aio::connect_write_pipe(pipe.release_writer());
  CHECK(co_await throws<std::invalid_argument>(writer->start_tls(context)));
}

TEST_CASE_FIXTURE(NothingLeft, "start_tls: what cannot be upgraded is refused") {
  const Identity identity;
  aio::run(upgrade_what_cannot_be(identity));
}

Coroutine<> upgrade_twice(const Identity& identity) {
  const Place place(Family::local);
  const auto server = co_await serve(place, identity.server());
  const auto [reader, writer] = co_await connect_plainly(place, *server);
  const auto context = identity.client_that_trusts_it();
  co_await writer->start_tls(context);
  CHECK(co_await throws<std::invalid_argument>(writer->start_tls(context)));
  writer->close();
  co_await end(server);
}

TEST_CASE_FIXTURE(NothingLeft, "start_tls: TLS within TLS is refused") {
  const Identity identity;
  aio::run(upgrade_twice(identity));
}

// ---------------------------------------------------------------- protocols

class Collector final : public aio::Protocol {
 public:
  void connection_made(aio::Transport&) override { ++made; }
  void data_received(std::string_view data) override {
    all += data;
    some.set();
  }
  void connection_lost(std::exception_ptr) override { lost.set(); }

  int made = 0;
  std::string all;
  aio::Event some, lost;
};

Coroutine<> upgrade_a_protocol(const Identity& identity) {
  const auto [near, far] = socket_ends();
  const auto here = std::make_shared<Collector>(), there = std::make_shared<Collector>();
  auto first = aio::create_connection([here] { return here; }, near);
  const auto one = co_await std::move(first);
  auto second = aio::create_connection([there] { return there; }, far);
  const auto other = co_await std::move(second);
  aio::StartTlsOptions as_server;
  as_server.server_side = true;
  auto serving = aio::create_task(aio::start_tls(other.first, there, identity.server(), as_server));
  auto connecting = aio::start_tls(one.first, here, identity.client_that_trusts_it());
  const auto transport = co_await std::move(connecting);
  const auto far_transport = co_await serving;
  transport->write("secret");
  co_await there->some.wait();
  CHECK(there->all == "secret");
  transport->close();
  co_await here->lost.wait();
  co_await there->lost.wait();
  CHECK(here->made + there->made == 2);  // once each, before TLS
}

TEST_CASE_FIXTURE(NothingLeft,
                  "start_tls: a protocol hears of what TLS carries [cpython "
                  "test_sslproto.test_start_tls_server_1]") {
  const Identity identity;
  aio::run(upgrade_a_protocol(identity));
}

// ---------------------------------------------------------------- odd moments

class CountPauses final : public aio::Protocol {
 public:
  void pause_writing() override { ++paused; }
  void resume_writing() override { ++resumed; }
  void connection_lost(std::exception_ptr) override { lost.set(); }

  int paused = 0, resumed = 0;
  aio::Event lost;
};

struct OneSide {
  std::shared_ptr<CountPauses> protocol = std::make_shared<CountPauses>();
  std::shared_ptr<aio::Transport> transport;
};

Coroutine<OneSide> connect_one_side(int fd) {
  OneSide side;
  auto connecting = aio::create_connection([made = side.protocol] { return made; }, fd);
  const auto connection = co_await std::move(connecting);
  side.transport = connection.first;
  co_return side;
}

// What was sent plainly, and the beginning of the handshake.
Coroutine<> receive_until_idle(int fd, const aio::Transport& transport) {
  std::string room(1 << 16, '\0');
  do {
    while (::recv(fd, room.data(), room.size(), MSG_DONTWAIT) > 0) {
    }
    co_await ticks(10);
  } while (transport.get_write_buffer_size() > 0);
}

Coroutine<> upgrade_while_paused(const Identity& identity, bool by_another) {
  const auto [near, far] = socket_ends();
  const auto side = co_await connect_one_side(near);
  side.transport->write(std::string(4UL << 20, 'x'));
  CHECK(side.protocol->paused == 1);
  const auto after = by_another ? std::make_shared<CountPauses>() : side.protocol;
  const auto upgrading =
      aio::create_task(aio::start_tls(side.transport, after, identity.client_that_trusts_it()));
  co_await ticks(3);
  CHECK(after->paused == 1);
  co_await receive_until_idle(far, *side.transport);
  CHECK(after->resumed == 1);
  upgrading.cancel();
  co_await settle(upgrading);
  co_await after->lost.wait();
  ::close(far);
}

TEST_CASE_FIXTURE(NothingLeft, "start_tls: who was told to pause writing is told to go on") {
  const Identity identity;
  aio::run(upgrade_while_paused(identity, false));
  aio::run(upgrade_while_paused(identity, true));
}

template <class T>
Coroutine<T> result_of(aio::Task<T> task) {
  co_return co_await task;
}

Coroutine<> upgrade_during_upgrade(const Identity& identity) {
  const auto [near, far] = socket_ends();
  const auto side = co_await connect_one_side(near);
  const auto context = identity.client_that_trusts_it();
  const auto first = aio::create_task(aio::start_tls(side.transport, side.protocol, context));
  co_await ticks(3);
  CHECK(co_await throws<std::invalid_argument>(
      aio::start_tls(side.transport, side.protocol, context)));
  CHECK_FALSE(first.done());
  side.transport->set_protocol(side.protocol);  // takes the transport away
  const auto error = co_await error_of(result_of(first));
  CHECK(error == std::errc::connection_aborted);
  side.transport->abort();
  co_await side.protocol->lost.wait();
  ::close(far);
}

TEST_CASE_FIXTURE(NothingLeft,
                  "start_tls: ends where its transport is taken away, and is not begun twice") {
  const Identity identity;
  aio::run(upgrade_during_upgrade(identity));
}

Coroutine<> upgrade_half_closed(const Identity& identity) {
  const auto [near, far] = socket_ends();
  auto connecting = aio::open_connection(near);
  const auto [reader, writer] = co_await std::move(connecting);
  writer->write_eof();
  auto upgrading = writer->start_tls(identity.client_that_trusts_it());
  CHECK(co_await error_of(std::move(upgrading)) == std::errc::connection_reset);
  CHECK_FALSE(writer->is_closing());
  writer->close();
  co_await writer->wait_closed();
  ::close(far);
}

TEST_CASE_FIXTURE(NothingLeft,
                  "start_tls: after write_eof() fails, and leaves the connection as it is") {
  const Identity identity;
  aio::run(upgrade_half_closed(identity));
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
