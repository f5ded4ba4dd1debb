// CPython's test_server, and what test_events and test_base_events say of servers, connecting and
// pipes. Left out: TLS, all_errors=True (streams throw one system_error that names each address).
#include <doctest/doctest.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <plait/aio.hpp>
#include <plait/io/streams.hpp>
#include <string>
#include <system_error>
#include <vector>

#include "io/fd_transport.hpp"
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
using detail::FdTransport;

TEST_SUITE_BEGIN("conformance/test_server");

Coroutine<> ignore_client(ReaderPtr, WriterPtr) { co_return; }

Coroutine<bool> is_cancelled(aio::Task<> task) {
  auto ending = throws<CancelledError>([](auto task) -> Coroutine<> { co_await task; }(task));
  co_return co_await std::move(ending);
}

// ---------------------------------------------------------------- test_server

Coroutine<> serve_until_cancelled(Family family) {
  const Place place(family);
  aio::StreamOptions options;
  options.start_serving = false;
  const auto server = co_await place.serve(ignore_client, options);
  CHECK_FALSE(server->is_serving());
  CHECK(server->sockets().size() == 1);
  const auto serving = create_task(server->serve_forever());
  co_await ticks(2);
  CHECK(server->is_serving());
  co_await place.connect(*server);
  serving.cancel();
  CHECK(co_await is_cancelled(serving));
  CHECK(server->sockets().empty());
  CHECK_FALSE(server->is_serving());
  std::string text;
  try {
    co_await server->serve_forever();
  } catch (const RuntimeError& error) {
    text = error.what();
  }
  CHECK(holds(text, "is closed"));
}

TEST_CASE_FIXTURE(NothingLeft,
                  "serve_forever: starts to serve, and closes the server when it is cancelled "
                  "[cpython test_server.test_start_server_1]") {
  for (const Family family : families) on_loop([=] { return serve_until_cancelled(family); });
}

TEST_CASE_FIXTURE(NothingLeft, "serve_forever: ends when another task closes the server") {
  on_loop([]() -> Coroutine<> {
    const Place place(Family::tcp);
    const auto server = co_await place.serve(ignore_client);
    const auto serving = create_task(server->serve_forever());
    co_await ticks(2);
    server->close();
    co_await ticks(5);
    CHECK(serving.done());
    serving.cancel();
    co_await settle(serving);
  });
}

TEST_CASE_FIXTURE(NothingLeft,
                  "wait_closed: returns where server and last connection close together "
                  "[cpython test_server.test_wait_closed_race]") {
  on_loop([]() -> Coroutine<> {
    const Place place(Family::tcp);
    auto ends = co_await connected(place);
    auto& loop = aio::get_running_loop();
    loop.call_soon([&] { ends.server->close(); });
    loop.call_soon([&] { ends.far_writer->close(); });
    co_await ends.server->wait_closed();
    CHECK(ends.server->sockets().empty());
    CHECK(co_await ends.reader->read() == "");
  });
}

TEST_CASE_FIXTURE(NothingLeft, "wait_closed: waits for the connections of a closed server") {
  on_loop([]() -> Coroutine<> {
    const Place place(Family::tcp);
    auto ends = co_await connected(place);
    const auto closed = create_task(ends.server->wait_closed());
    ends.server->close();
    co_await ticks(5);
    CHECK_FALSE(closed.done());
    ends.far_writer->close();
    co_await closed;
  });
}

Coroutine<> close_clients(bool at_once) {
  const Place place(Family::tcp);
  auto ends = co_await connected(place);
  ends.server->close();
  at_once ? ends.server->abort_clients() : ends.server->close_clients();
  const auto closed = create_task(ends.server->wait_closed());
  co_await ticks(3);
  CHECK(closed.done());
  CHECK(ends.far_writer->is_closing());
  CHECK(co_await ends.reader->read() == "");
}

TEST_CASE_FIXTURE(NothingLeft,
                  "close_clients: closes the connections at once "
                  "[cpython test_server.test_close_clients]") {
  for (const bool at_once : {false, true}) on_loop([=] { return close_clients(at_once); });
}

// Whether a Unix server's path is there once it is closed; `meanwhile` is called before.
template <class Meanwhile>
Coroutine<bool> left_at_path(aio::StreamOptions options, Meanwhile meanwhile) {
  const SocketFolder folder;
  const auto path = folder.path("socket");
  const auto server = co_await aio::start_unix_server(ignore_client, path, options);
  CHECK(std::filesystem::is_socket(path));
  meanwhile(path);
  server->close();
  co_return std::filesystem::exists(path);
}

TEST_CASE_FIXTURE(NothingLeft,
                  "start_unix_server: close removes the socket, unless it is another's "
                  "[cpython test_server.test_unix_server_addr_cleanup]") {
  using Path = const std::filesystem::path&;
  on_loop([]() -> Coroutine<> {
    aio::StreamOptions options;
    CHECK_FALSE(co_await left_at_path(options, [](Path) {}));
    CHECK_FALSE(co_await left_at_path(options, [](Path p) { std::filesystem::remove(p); }));
    CHECK(co_await left_at_path(options, [](Path path) {
      const std::ofstream other(path.string() + ".new");
      std::filesystem::rename(path.string() + ".new", path);
    }));
    options.cleanup_socket = false;
    CHECK(co_await left_at_path(options, [](Path) {}));
  });
}

// ---------------------------------------------------------------- test_events

TEST_CASE_FIXTURE(NothingLeft,
                  "start_server: refuses an address in use "
                  "[cpython test_events.test_create_server_addr_in_use]") {
  on_loop([]() -> Coroutine<> {
    const auto first = co_await start_server(ignore_client, "127.0.0.1", 0);
    const auto error = co_await error_of(start_server(ignore_client, "127.0.0.1", first->port()));
    CHECK(error == std::errc::address_in_use);
  });
}

TEST_CASE_FIXTURE(NothingLeft,
                  "start_server: reuse_port lets several share an address "
                  "[cpython test_events.test_create_server_reuse_port]") {
  on_loop([]() -> Coroutine<> {
    aio::StreamOptions options;
    options.reuse_port = true;
    const auto first = co_await start_server(ignore_client, "127.0.0.1", 0, options);
    const auto error = co_await error_of(start_server(ignore_client, "127.0.0.1", first->port()));
    CHECK(error == std::errc::address_in_use);
    const auto second = co_await start_server(ignore_client, "127.0.0.1", first->port(), options);
    CHECK(second->port() == first->port());
  });
}

Coroutine<> connect_to_closed(Family family) {
  const Place place(family);
  aio::StreamOptions options;
  options.cleanup_socket = false;
  const auto server = co_await place.serve(ignore_client, options);
  co_await place.connect(*server);
  auto late = place.connect(*server);
  server->close();
  CHECK(server->port() == 0);
  CHECK(co_await error_of(std::move(late)) == std::errc::connection_refused);
}

TEST_CASE_FIXTURE(NothingLeft,
                  "close: nobody connects any more [cpython test_events.test_server_close]") {
  on_loop([] { return connect_to_closed(Family::local); });
  on_loop([]() -> Coroutine<> {
    const auto server = co_await start_server(ignore_client, "127.0.0.1", 0);
    const auto port = server->port();
    co_await open_connection("127.0.0.1", port);
    server->close();
    const auto error = co_await error_of(open_connection("127.0.0.1", port));
    CHECK(error == std::errc::connection_refused);
  });
}

// ---------------------------------------------------------------- pipes

class Recorder final : public aio::Protocol {
 public:
  void connection_made(aio::Transport&) override { states += "made "; }
  void data_received(std::string_view data) override { received += data; }
  bool eof_received() override {
    states += "eof ";
    return false;
  }
  void connection_lost(std::exception_ptr error) override { states += error ? "failed" : "lost"; }

  std::string states;
  std::string received;
};

std::shared_ptr<FdTransport> start_transport(int fd, FdTransport::Kind kind,
                                             const std::shared_ptr<Recorder>& protocol) {
  auto transport =
      std::make_shared<FdTransport>(detail::require_running_core(), detail::OwnedFd(fd), kind);
  transport->start(protocol);
  return transport;
}

void write_to(const Pipe& pipe, std::string_view text) {
  REQUIRE(::write(pipe.writer(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
}

TEST_CASE_FIXTURE(NothingLeft,
                  "read pipe: data, the end, then the connection is lost "
                  "[cpython test_events.test_read_pipe]") {
  on_loop([]() -> Coroutine<> {
    Pipe pipe;
    const auto protocol = std::make_shared<Recorder>();
    start_transport(pipe.release_reader(), FdTransport::Kind::read_pipe, protocol);
    CHECK(protocol->states == "made ");
    write_to(pipe, "1");
    CHECK(co_await comes_true([&] { return protocol->received == "1"; }));
    write_to(pipe, "2345");
    CHECK(co_await comes_true([&] { return protocol->received == "12345"; }));
    CHECK(protocol->states == "made ");
    pipe.close_writer();
    CHECK(co_await comes_true([&] { return protocol->states == "made eof lost"; }));
  });
}

TEST_CASE_FIXTURE(NothingLeft,
                  "write pipe: bytes go out in order, and close ends it "
                  "[cpython test_events.test_write_pipe]") {
  on_loop([]() -> Coroutine<> {
    Pipe pipe;
    const auto protocol = std::make_shared<Recorder>();
    const auto transport =
        start_transport(pipe.release_writer(), FdTransport::Kind::write_pipe, protocol);
    const auto reader = co_await aio::connect_read_pipe(pipe.release_reader());
    transport->write("1");
    CHECK(co_await reader->read(1024) == "1");
    transport->write("23");
    transport->write("45");
    CHECK(co_await reader->readexactly(4) == "2345");
    CHECK(protocol->states == "made ");
    transport->close();
    CHECK(co_await reader->read() == "");
    CHECK(protocol->states == "made lost");
  });
}

// ---------------------------------------------------------------- test_base_events

// How many addresses of this machine a connection to no host tries.
std::size_t own_addresses() {
  addrinfo hints{}, *found = nullptr;
  hints.ai_flags = AI_ADDRCONFIG;
  hints.ai_socktype = SOCK_STREAM;
  REQUIRE(::getaddrinfo(nullptr, "1", &hints, &found) == 0);
  std::size_t count = 0;
  for (const addrinfo* each = found; each; each = each->ai_next) ++count;
  ::freeaddrinfo(found);
  return count;
}

// A port of all interfaces at which nobody listens as long as this lives.
class SilentPort {
 public:
  SilentPort() {
    sockaddr_in6 any{};
    any.sin6_family = AF_INET6;
    const int off = 0;
    ::setsockopt(fd_, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    socklen_t size = sizeof any;
    auto* const address = reinterpret_cast<sockaddr*>(&any);
    REQUIRE(::bind(fd_, address, size) == 0);
    REQUIRE(::getsockname(fd_, address, &size) == 0);
    port_ = ntohs(any.sin6_port);
  }
  ~SilentPort() { ::close(fd_); }
  SilentPort(const SilentPort&) = delete;
  SilentPort& operator=(const SilentPort&) = delete;
  std::uint16_t port() const { return port_; }

 private:
  const int fd_ = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::uint16_t port_ = 0;
};

Coroutine<> fail_everywhere(std::optional<Duration> delay) {
  const SilentPort silent;
  aio::StreamOptions options;
  options.happy_eyeballs_delay = delay;
  std::string text;
  std::error_code code;
  try {
    co_await open_connection("", silent.port(), options);
  } catch (const std::system_error& error) {
    text = error.what();
    code = error.code();
  }
  CHECK(code == std::errc::connection_refused);
  CHECK(holds(text, "connecting to 127.0.0.1:" + std::to_string(silent.port())));
  const bool several = own_addresses() > 1;
  CHECK(text.starts_with("Multiple exceptions: ") == several);
  CHECK(holds(text, ", connecting to ") == several);
}

TEST_CASE_FIXTURE(NothingLeft,
                  "open_connection: names every address that failed "
                  "[cpython test_base_events.test_create_connection_multiple_errors]") {
  on_loop([] { return fail_everywhere(std::nullopt); });
  on_loop([] { return fail_everywhere(std::chrono::milliseconds(250)); });
}

TEST_CASE_FIXTURE(NothingLeft,
                  "open_connection: throws the error of the only address as it is "
                  "[cpython test_base_events.test_create_connection_connect_err]") {
  on_loop([]() -> Coroutine<> {
    const SilentPort silent;
    std::string text;
    try {
      co_await open_connection("127.0.0.1", silent.port());
    } catch (const std::system_error& error) {
      text = error.what();
      CHECK(error.code() == std::errc::connection_refused);
    }
    CHECK(text.starts_with("connecting to 127.0.0.1:" + std::to_string(silent.port())));
  });
}

TEST_CASE_FIXTURE(NothingLeft,
                  "start_server: closes all sockets where one cannot be bound "
                  "[cpython test_base_events.test_create_server_cant_bind]") {
  on_loop([]() -> Coroutine<> {
    const auto probe = co_await start_server(ignore_client, "", 0);
    REQUIRE(!probe->sockets().empty());
    const std::string last = probe->sockets().back();  // the others are free at its port
    const auto port = static_cast<std::uint16_t>(std::stoul(last.substr(last.rfind(':') + 1)));
    const auto descriptors = descriptor_count();
    CHECK(co_await error_of(start_server(ignore_client, "", port)) == std::errc::address_in_use);
    CHECK(descriptor_count() == descriptors);
  });
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
