// Connections and servers of sockets that the test has made, and what becomes of these in the end.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <memory>
#include <plait/aio.hpp>
#include <plait/core/exception_group.hpp>
#include <plait/io/connections.hpp>
#include <plait/io/streams.hpp>
#include <stdexcept>
#include <string>
#include <system_error>
#include <tuple>
#include <utility>

#include "support/nothing_left.hpp"
#include "support/on_loop.hpp"
#include "support/stream_work.hpp"

namespace plait::test {
namespace {

std::pair<int, int> socket_pair(int type = SOCK_STREAM) {
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends.data()) == 0);
  return {ends[0], ends[1]};
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// Bound to a free port, and listening only once a server has it.
int bound_socket() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(0);
  // SAFETY: this is how the sockets API shows addresses of all kinds.
  REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

Coroutine<> echo_once(ReaderPtr reader, WriterPtr writer) {
  writer->write(co_await reader->readline());
}

TEST_SUITE_BEGIN("io/given_sockets");

TEST_CASE_FIXTURE(NothingLeft,
                  "open_connection: of a connected socket [cpython "
                  "test_events.test_create_connection_sock]") {
  on_loop([]() -> Coroutine<> {
    const auto [near, far] = socket_pair();
    ReaderPtr reader, far_reader;
    WriterPtr writer, far_writer;
    std::tie(reader, writer) = co_await aio::open_connection(near);
    std::tie(far_reader, far_writer) = co_await aio::open_connection(far);
    writer->write("line\n");
    CHECK(co_await far_reader->readline() == "line\n");
    CHECK((::fcntl(near, F_GETFL) & O_NONBLOCK) != 0);
    writer.reset();
    CHECK(co_await far_reader->read() == "");
  });
}

TEST_CASE_FIXTURE(NothingLeft,
                  "start_server: of a bound socket [cpython test_events.test_create_server_sock]") {
  on_loop([]() -> Coroutine<> {
    const auto server = co_await aio::start_server(echo_once, bound_socket());
    const auto [reader, writer] = co_await aio::open_connection("127.0.0.1", server->port());
    writer->write("line\n");
    CHECK(co_await reader->read() == "line\n");
    server->close();
    CHECK(co_await error_of(aio::open_connection("127.0.0.1", server->port())));
  });
}

Coroutine<> use_none(int fd) {
  CHECK(co_await throws<std::invalid_argument>(aio::open_connection(fd)));
  CHECK(::fcntl(fd, F_GETFD) == -1);
}
Coroutine<> serve_none(int fd) {
  CHECK(co_await throws<std::invalid_argument>(aio::start_server(echo_once, fd)));
  CHECK(::fcntl(fd, F_GETFD) == -1);
}

TEST_CASE_FIXTURE(NothingLeft,
                  "given sockets: what is no stream socket is refused, and closed [cpython "
                  "test_base_events.test_create_connection_wrong_sock]") {
  on_loop([]() -> Coroutine<> {
    const auto [near, far] = socket_pair(SOCK_DGRAM);
    co_await use_none(near);
    co_await serve_none(far);
    co_await use_none(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    CHECK(co_await throws<std::invalid_argument>(aio::open_connection(-1)));
  });
}

TEST_CASE_FIXTURE(NothingLeft, "given sockets: are closed even if the coroutine never runs") {
  const auto [near, far] = socket_pair();
  {
    const auto unused = aio::open_connection(near);
  }
  {
    const auto unused = aio::start_server(echo_once, far);
  }
  CHECK(::fcntl(near, F_GETFD) == -1);
  CHECK(::fcntl(far, F_GETFD) == -1);
}

TEST_CASE_FIXTURE(NothingLeft, "given sockets: are closed where the callback is refused") {
  CHECK_THROWS_AS(static_cast<void>(aio::start_server({}, bound_socket())), std::invalid_argument);
}

// ---------------------------------------------------------------- all_errors

// Nobody listens there, and nobody else will as long as this lives.
class DeadPort {
 public:
  DeadPort() {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    // SAFETY: this is how the sockets API shows addresses of all kinds.
    REQUIRE(::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
  }
  ~DeadPort() { ::close(fd_); }
  DeadPort(const DeadPort&) = delete;
  DeadPort& operator=(const DeadPort&) = delete;

  std::uint16_t port() const { return port_; }

 private:
  const int fd_ = bound_socket();
  std::uint16_t port_ = 0;
};

// How many errors the group has in which it ends; 0: it does not.
Coroutine<std::size_t> errors_of(std::string host, std::uint16_t port, aio::StreamOptions options) {
  try {
    co_await aio::open_connection(std::move(host), port, std::move(options));
  } catch (const ExceptionGroup& group) {
    for (const auto& error : group.exceptions()) {
      CHECK_THROWS_AS(std::rethrow_exception(error), std::system_error);
    }
    co_return group.exceptions().size();
  }
  co_return 0;
}

TEST_CASE_FIXTURE(NothingLeft,
                  "open_connection: all_errors throws a group [cpython "
                  "test_base_events.test_create_connection_multiple_errors]") {
  on_loop([]() -> Coroutine<> {
    const DeadPort dead;
    aio::StreamOptions options;
    options.all_errors = true;
    CHECK(co_await errors_of("127.0.0.1", dead.port(), options) == 1);
    const std::size_t in_turn = co_await errors_of("localhost", dead.port(), options);
    options.happy_eyeballs_delay = std::chrono::milliseconds(1);
    CHECK(co_await errors_of("localhost", dead.port(), options) == in_turn);
    CHECK(in_turn >= 1);
    options.all_errors = false;
    CHECK(co_await error_of(aio::open_connection("127.0.0.1", dead.port(), options)) ==
          std::errc::connection_refused);
  });
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
