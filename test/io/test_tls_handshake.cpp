// Handshakes of TLS: how long they may take, whom they ask for, and second ones.
#include <doctest/doctest.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <plait/aio.hpp>
#include <plait/io/streams.hpp>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "support/nothing_left.hpp"
#include "support/on_loop.hpp"
#include "support/stream_work.hpp"
#include "support/tls_identity.hpp"

namespace plait::test {
namespace {

aio::StreamOptions with(TlsContext context) {
  aio::StreamOptions options;
  options.ssl = std::move(context);
  return options;
}

Coroutine<> echo_once(ReaderPtr reader, WriterPtr writer) {
  writer->write(co_await reader->readline());
}
Coroutine<> ignore_client(ReaderPtr, WriterPtr) { co_return; }

// What a client is told; empty: it has got its answer.
Coroutine<std::string> talk(std::string host, std::uint16_t port, aio::StreamOptions options) {
  try {
    auto connecting = aio::open_connection(std::move(host), port, std::move(options));
    const auto [reader, writer] = co_await std::move(connecting);
    writer->write("line\n");
    const std::string answer = co_await reader->readline();
    co_return answer == "line\n" ? "" : "no answer";
  } catch (const std::system_error& error) {
    co_return error.what();
  }
}

Coroutine<> end(ServerPtr server) {
  server->close();
  co_await server->wait_closed();
}

// Who gets them closes them.
struct SocketEnds {
  SocketEnds() {
    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
    near = ends[0];
    far = ends[1];
  }
  int near = -1, far = -1;
};

TEST_SUITE_BEGIN("io/tls_handshake");

// ---------------------------------------------------------------- limits of time

Coroutine<> hold_client(ReaderPtr reader, WriterPtr) { co_await reader->read(); }

Coroutine<> connect_to_a_silent_server() {
  const auto server = co_await aio::start_server(hold_client, "127.0.0.1", 0);
  auto options = with(Identity::client_that_trusts_nobody());
  options.ssl_handshake_timeout = std::chrono::milliseconds(5);
  auto talking = talk("127.0.0.1", server->port(), options);
  const std::string text = co_await std::move(talking);
  CHECK(text.find("handshake has taken longer than 0.005") != std::string::npos);
  co_await end(server);
}

TEST_CASE_FIXTURE(NothingLeft,
                  "handshake: a server that says nothing is given up after a while [cpython "
                  "test_sslproto.test_handshake_timeout]") {
  aio::run(connect_to_a_silent_server());
}

Coroutine<> stay_silent(const Identity& identity) {
  auto options = with(identity.server());
  options.ssl_handshake_timeout = std::chrono::milliseconds(5);
  const auto server = co_await aio::start_server(ignore_client, "127.0.0.1", 0, options);
  const auto [reader, writer] = co_await aio::open_connection("127.0.0.1", server->port());
  CHECK(co_await reader->read() == "");  // the server ends it
  co_await end(server);
}

TEST_CASE_FIXTURE(NothingLeft, "handshake: a client that says nothing is given up after a while") {
  const Identity identity;
  aio::run(stay_silent(identity));
}

// Through Unix sockets, where nothing is under way that virtual time would not wait for.
Coroutine<> outlive_the_limit(const Identity& identity) {
  const Place place(Family::local);
  const auto server = co_await place.serve(hold_client, with(identity.server()));
  const auto [reader, writer] =
      co_await place.connect(*server, with(identity.client_that_trusts_it()));
  co_await aio::sleep(std::chrono::minutes(2));
  CHECK_FALSE(writer->is_closing());
  writer->close();
  co_await end(server);
}

TEST_CASE_FIXTURE(NothingLeft, "handshake: once it is over its limit ends nothing") {
  const Identity identity;
  on_loop([&] { return outlive_the_limit(identity); });
}

Coroutine<> connect_in_no_time() {
  const SocketEnds ends;
  auto options = with(Identity::client_that_trusts_nobody());
  options.ssl_handshake_timeout = Duration(0);
  CHECK(co_await throws<std::invalid_argument>(aio::open_connection(ends.near, options)));
  ::close(ends.far);
}

TEST_CASE_FIXTURE(NothingLeft,
                  "handshake: a limit of no time is refused [cpython "
                  "test_sslproto.test_handshake_timeout_zero]") {
  on_loop(connect_in_no_time);
}

// ---------------------------------------------------------------- names

struct Asked {
  std::string name = "nobody";
};

// The server notes whom its clients ask for.
TlsContext noting(const Identity& identity, Asked& asked) {
  auto context = identity.server();
  ::SSL_CTX_set_tlsext_servername_arg(context->native_handle(), &asked);
  ::SSL_CTX_set_tlsext_servername_callback(
      context->native_handle(), +[](SSL* ssl, int*, void* to) {
        const char* const name = ::SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
        static_cast<Asked*>(to)->name = name ? name : "none";
        return SSL_TLSEXT_ERR_OK;
      });
  return context;
}

Coroutine<std::string> ask_for(const Identity& identity, std::string host, Asked& asked,
                               std::optional<std::string> server_hostname = {}) {
  const auto server = co_await aio::start_server(echo_once, host, 0, with(noting(identity, asked)));
  auto options = with(identity.client_that_trusts_it());
  options.server_hostname = std::move(server_hostname);
  auto talking = talk(host, server->port(), options);
  auto text = co_await std::move(talking);
  co_await end(server);
  co_return text;
}

TEST_CASE_FIXTURE(NothingLeft, "server_hostname: is the host, and the server is told so") {
  Asked asked;
  CHECK(aio::run(ask_for(Identity("DNS:localhost"), "localhost", asked)) == "");
  CHECK(asked.name == "localhost");
}

TEST_CASE_FIXTURE(NothingLeft,
                  "server_hostname: an address is looked for in the certificate, and not told") {
  const Identity named("IP:127.0.0.1"), other("IP:127.0.0.2");
  Asked asked;
  CHECK(aio::run(ask_for(named, "127.0.0.1", asked)) == "");
  CHECK(asked.name == "none");
  CHECK(aio::run(ask_for(other, "127.0.0.1", asked)) != "");
}

TEST_CASE_FIXTURE(NothingLeft, "server_hostname: may be another than the host") {
  const Identity identity("DNS:elsewhere.test");
  Asked asked;
  CHECK(aio::run(ask_for(identity, "127.0.0.1", asked, "elsewhere.test")) == "");
  CHECK(asked.name == "elsewhere.test");
  CHECK(aio::run(ask_for(identity, "127.0.0.1", asked)) != "");
}

// ---------------------------------------------------------------- second handshakes

// A server of OpenSSL's own, in a thread, which begins a second handshake.
class Renegotiator {
 public:
  Renegotiator(const Identity& identity, int fd, std::function<void()> on_answer)
      : fd_(fd), context_(identity.server()), on_answer_(std::move(on_answer)) {
    ::SSL_CTX_set_max_proto_version(context_->native_handle(), TLS1_2_VERSION);
    thread_ = std::thread([this] { serve(); });
  }
  ~Renegotiator() {
    if (thread_.joinable()) thread_.join();
    ::close(fd_);
  }
  Renegotiator(const Renegotiator&) = delete;
  Renegotiator& operator=(const Renegotiator&) = delete;

  // All that the client has sent, once it has closed.
  const std::string& received() {
    thread_.join();
    return received_;
  }

 private:
  // Reads nothing until the client has answered, so that its handshake is under way.
  void serve() {
    const std::unique_ptr<SSL, decltype(&::SSL_free)> ssl(::SSL_new(context_->native_handle()),
                                                          ::SSL_free);
    ::SSL_set_fd(ssl.get(), fd_);
    if (::SSL_accept(ssl.get()) != 1) return;
    ::SSL_renegotiate(ssl.get());
    ::SSL_do_handshake(ssl.get());
    char byte = 0;
    if (::recv(fd_, &byte, 1, MSG_PEEK) != 1) return;
    on_answer_();
    std::string piece(1UL << 16, '\0');
    for (int size = 1; size > 0;) {
      size = ::SSL_read(ssl.get(), piece.data(), static_cast<int>(piece.size()));
      if (size > 0) received_.append(piece, 0, static_cast<std::size_t>(size));
    }
  }

  const int fd_;
  const TlsContext context_;
  const std::function<void()> on_answer_;
  std::string received_;  // of the thread's, until it has ended
  std::thread thread_;
};

Coroutine<> write_meanwhile(const Identity& identity, const std::string& data) {
  const SocketEnds ends;
  aio::Event under_way;
  auto& loop = aio::get_running_loop();
  Renegotiator server(identity, ends.far,
                      [&] { loop.call_soon_threadsafe([&] { under_way.set(); }); });
  auto connecting = aio::open_connection(ends.near, with(identity.client_that_trusts_it()));
  const auto [reader, writer] = co_await std::move(connecting);
  co_await under_way.wait();
  writer->write(data);
  writer->write("end");
  co_await writer->drain();
  writer->close();
  auto closing = error_of(writer->wait_closed());
  CHECK_FALSE(co_await std::move(closing));
  CHECK(server.received() == data + "end");
}

TEST_CASE_FIXTURE(NothingLeft, "write: during a second handshake it waits for its end") {
  const Identity identity;
  for (const std::size_t size : {1UL, 3UL << 20}) {
    aio::run(write_meanwhile(identity, std::string(size, 'x')));
  }
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
