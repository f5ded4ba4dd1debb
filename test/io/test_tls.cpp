// Tests of TLS: streams over it, and what becomes of handshakes that fail.
#include <doctest/doctest.h>

#include <memory>
#include <plait/aio.hpp>
#include <string>
#include <system_error>
#include <utility>

#include "support/nothing_left.hpp"
#include "support/on_loop.hpp"
#include "support/tls_identity.hpp"

namespace plait::test {
namespace {

using Context = TlsContext;
using Reader = std::shared_ptr<aio::StreamReader>;
using Writer = std::shared_ptr<aio::StreamWriter>;

Coroutine<> echo(Reader reader, Writer writer) {
  for (;;) {
    const std::string data = co_await reader->read(64 * 1024);
    if (data.empty()) co_return;
    writer->write(data);
    co_await writer->drain();
  }
}

Coroutine<std::shared_ptr<aio::Server>> serve(Context context) {
  aio::StreamOptions options;
  options.ssl = std::move(context);
  auto server = aio::start_server(echo, "localhost", 0, options);
  co_return co_await std::move(server);
}
Coroutine<aio::Streams> connect(const aio::Server& server, Context context, std::string host) {
  aio::StreamOptions options;
  options.ssl = std::move(context);
  auto streams = aio::open_connection(std::move(host), server.port(), options);
  co_return co_await std::move(streams);
}

Coroutine<> send(Writer writer, const std::string& data) {
  writer->write(data);
  co_await writer->drain();
}

TEST_SUITE_BEGIN("io/tls");

TEST_CASE_FIXTURE(NothingLeft, "tls: what is sent comes back, however much it is") {
  const Identity identity;
  aio::run([](const Identity& id) -> Coroutine<> {
    const auto server = co_await serve(id.server());
    const auto [reader, writer] =
        co_await connect(*server, id.client_that_trusts_it(), "localhost");
    CHECK_FALSE(writer->can_write_eof());
    for (const std::size_t size : {1UL, 1000UL, 100'000UL, 4UL << 20}) {
      const std::string data(size, static_cast<char>('a' + size % 26));
      auto sending = aio::create_task(send(writer, data));
      CHECK(co_await reader->readexactly(size) == data);
      co_await sending;
    }
    writer->close();
    co_await writer->wait_closed();
    CHECK(co_await reader->read() == "");
    server->close();
    co_await server->wait_closed();
  }(identity));
}

TEST_CASE_FIXTURE(NothingLeft, "tls: a slow reader gets all that was sent before the end") {
  const Identity identity;
  const std::string data(1UL << 20, 'x');
  aio::run([](const Identity& id, const std::string& all) -> Coroutine<> {
    aio::StreamOptions options;
    options.ssl = id.server();
    const auto give = [&all](Reader, Writer writer) -> Coroutine<> {
      writer->write(all);
      co_await writer->drain();
      writer->close();
    };
    const auto server = co_await aio::start_server(give, "localhost", 0, options);
    const auto [reader, writer] =
        co_await connect(*server, id.client_that_trusts_it(), "localhost");
    std::size_t got = 0;
    for (bool more = true; more;) {
      const std::string piece = co_await reader->read(10'000);
      got += piece.size();
      more = !piece.empty();
      co_await aio::sleep(std::chrono::microseconds(100));
    }
    CHECK(got == all.size());
    writer->close();
    server->close();
    co_await server->wait_closed();
  }(identity, data));
}

TEST_CASE_FIXTURE(NothingLeft, "tls: a server that is not trusted, or is another, is refused") {
  const Identity identity;
  const std::pair<Context, std::string> clients[] = {
      {Identity::client_that_trusts_nobody(), "localhost"},
      {identity.client_that_trusts_it(), "127.0.0.1"}};
  for (const auto& [context, host] : clients) {
    aio::run([](const Identity& id, Context client, std::string name) -> Coroutine<> {
      const auto server = co_await serve(id.server());
      CHECK(co_await throws<std::system_error>(connect(*server, client, name)));
      server->close();
      co_await server->wait_closed();
    }(identity, context, host));
  }
}

TEST_CASE_FIXTURE(NothingLeft, "tls: a server that speaks none is an error, not a hang") {
  aio::run([]() -> Coroutine<> {
    const auto server = co_await serve(nullptr);
    const auto client = Identity::client_that_trusts_nobody();
    CHECK(co_await throws<std::system_error>(connect(*server, client, "localhost")));
    server->close();
    co_await server->wait_closed();
  }());
}

TEST_CASE_FIXTURE(NothingLeft, "tls: a client that speaks none does not stop the server") {
  const Identity identity;
  aio::run([](const Identity& id) -> Coroutine<> {
    const auto server = co_await serve(id.server());
    const auto [bad_reader, bad_writer] = co_await connect(*server, nullptr, "localhost");
    bad_writer->write("GET / HTTP/1.0\r\n\r\n");
    bool ended = false;
    try {
      ended = (co_await bad_reader->read()).size() < 100;
    } catch (const std::system_error&) {
      ended = true;
    }
    CHECK(ended);
    const auto [reader, writer] =
        co_await connect(*server, id.client_that_trusts_it(), "localhost");
    writer->write("x");
    CHECK(co_await reader->readexactly(1) == "x");
    writer->close();
    bad_writer->close();
    server->close();
    co_await server->wait_closed();
  }(identity));
}

TEST_CASE_FIXTURE(NothingLeft, "tls: cancelling a handshake that does not end closes it") {
  aio::run([]() -> Coroutine<> {
    aio::Event forever;
    const auto silent = [&forever](Reader, Writer writer) -> Coroutine<> {
      co_await forever.wait();
      writer->close();
    };
    const auto server = co_await aio::start_server(silent, "localhost", 0);
    const auto client = Identity::client_that_trusts_nobody();
    const auto limited = [](const aio::Server& to, Context context) -> Coroutine<> {
      auto streams = connect(to, std::move(context), "localhost");
      co_await aio::wait_for(std::move(streams), std::chrono::milliseconds(20));
    };
    CHECK(co_await throws<TimeoutError>(limited(*server, client)));
    forever.set();
    server->close();
    co_await server->wait_closed();
  }());
}

TEST_CASE_FIXTURE(NothingLeft, "tls: a loop may be closed in the middle of a connection") {
  const Identity identity;
  aio::EventLoop loop;
  aio::Streams kept;
  loop.run_until_complete([](const Identity& id, aio::Streams& streams) -> Coroutine<> {
    const auto server = co_await serve(id.server());
    streams = co_await connect(*server, id.client_that_trusts_it(), "localhost");
    streams.second->write("x");
  }(identity, kept));
  loop.close();
  kept.second->write("y");
  CHECK(kept.second->transport().fileno() == -1);
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
