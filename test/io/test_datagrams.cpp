// Tests of datagrams.
#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <plait/aio.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "support/nothing_left.hpp"
#include "support/on_loop.hpp"

namespace plait::test {
namespace {

// Keeps what has come, and answers if it is told to.
class Recorder final : public aio::DatagramProtocol {
 public:
  explicit Recorder(bool answers = false) : answers_(answers) {}

  void connection_made(aio::DatagramTransport& transport) override { transport_ = &transport; }
  void datagram_received(std::string_view data, const std::string& from) override {
    received.put_nowait(std::string(data));
    if (answers_) transport_->sendto("resp:" + std::string(data), from);
  }
  void error_received(std::exception_ptr error) override { errors.put_nowait(std::move(error)); }
  void connection_lost(std::exception_ptr) override { lost.set(); }

  aio::Queue<std::string> received;
  aio::Queue<std::exception_ptr> errors;
  aio::Event lost;

 private:
  const bool answers_;
  aio::DatagramTransport* transport_ = nullptr;
};

struct Socket {
  std::shared_ptr<aio::DatagramTransport> transport;
  std::shared_ptr<Recorder> recorder;
};

Coroutine<Socket> open_socket(aio::DatagramOptions options, bool answers = false) {
  auto recorder = std::make_shared<Recorder>(answers);
  auto opening = aio::create_datagram_endpoint([recorder] { return recorder; }, options);
  auto endpoint = co_await std::move(opening);
  co_return Socket{std::move(endpoint.first), recorder};
}
aio::DatagramOptions at(const char* host, std::uint16_t port = 0) {
  aio::DatagramOptions options;
  options.local_addr.emplace(host, port);
  return options;
}
aio::DatagramOptions to(const std::string& address) {
  aio::DatagramOptions options;
  const auto colon = address.rfind(':');
  options.remote_addr.emplace("127.0.0.1",
                              static_cast<std::uint16_t>(std::stoi(address.substr(colon + 1))));
  return options;
}
Coroutine<> close(Socket socket) {
  socket.transport->close();
  co_await socket.recorder->lost.wait();
}

TEST_SUITE_BEGIN("io/datagrams");

TEST_CASE_FIXTURE(
    NothingLeft,
    "datagrams: a server answers [cpython test_events.test_create_datagram_endpoint]") {
  aio::run([]() -> Coroutine<> {
    const Socket server = co_await open_socket(at("127.0.0.1"), true);
    const Socket client = co_await open_socket(to(server.transport->sockname()));
    CHECK(client.transport->peername() == server.transport->sockname());
    client.transport->sendto("xxx");
    CHECK((co_await client.recorder->received.get()).size() == 8);
    co_await close(client);
    co_await close(server);
  }());
}

TEST_CASE_FIXTURE(NothingLeft,
                  "datagrams: one that nobody listens for costs no later one [cpython "
                  "test_events.test_datagram_send_to_non_listening_address]") {
  aio::run([]() -> Coroutine<> {
    const Socket gone = co_await open_socket(at("127.0.0.1"));
    const std::string nobody = gone.transport->sockname();
    co_await close(gone);
    const Socket first = co_await open_socket(at("127.0.0.1"));
    const Socket second = co_await open_socket(at("127.0.0.1"));
    first.transport->sendto("lost", nobody);
    second.transport->sendto("found", first.transport->sockname());
    CHECK(co_await first.recorder->received.get() == "found");
    co_await close(first);
    co_await close(second);
  }());
}

TEST_CASE_FIXTURE(NothingLeft, "datagrams: a refused one is told as an error, and no more") {
  aio::run([]() -> Coroutine<> {
    const Socket gone = co_await open_socket(at("127.0.0.1"));
    const std::string nobody = gone.transport->sockname();
    co_await close(gone);
    const Socket client = co_await open_socket(to(nobody));
    client.transport->sendto("x");
    const auto error = co_await client.recorder->errors.get();
    CHECK_THROWS_AS(std::rethrow_exception(error), std::system_error);
    CHECK_FALSE(client.transport->is_closing());
    co_await close(client);
  }());
}

TEST_CASE_FIXTURE(NothingLeft, "datagrams: each arrives whole and alone, an empty one, too") {
  aio::run([]() -> Coroutine<> {
    const Socket server = co_await open_socket(at("127.0.0.1"));
    const Socket client = co_await open_socket(at("127.0.0.1"));
    for (const std::size_t size : {0UL, 1UL, 1400UL, 60'000UL}) {
      client.transport->sendto(std::string(size, 'x'), server.transport->sockname());
      CHECK((co_await server.recorder->received.get()).size() == size);
    }
    co_await close(client);
    co_await close(server);
  }());
}

TEST_CASE_FIXTURE(NothingLeft,
                  "datagrams: without an address there is no socket [cpython "
                  "test_base_events.test_create_datagram_endpoint_noaddr_nofamily]") {
  aio::run([]() -> Coroutine<> {
    CHECK(co_await throws<std::invalid_argument>(open_socket(aio::DatagramOptions())));
    const Socket first = co_await open_socket(at("127.0.0.1"));
    const std::string name = first.transport->sockname();
    const auto port = static_cast<std::uint16_t>(std::stoi(name.substr(name.rfind(':') + 1)));
    CHECK(co_await throws<std::system_error>(open_socket(at("127.0.0.1", port))));
    CHECK_THROWS_AS(first.transport->sendto("x"), std::invalid_argument);
    for (const char* const bad :
         {"nowhere", "127.0.0.1", "127.0.0.1:", "127.0.0.1:99999", "::1:x"}) {
      CAPTURE(bad);
      CHECK_THROWS_AS(first.transport->sendto("x", bad), std::invalid_argument);
    }
    co_await close(first);
  }());
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
