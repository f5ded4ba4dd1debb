// Names that are looked up slowly, and hosts of which not every address can be had.
#include <doctest/doctest.h>

#include <netinet/in.h>

#include <memory>
#include <plait/aio.hpp>
#include <plait/core/exception_group.hpp>
#include <plait/io/datagrams.hpp>
#include <plait/io/streams.hpp>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "support/names.hpp"
#include "support/nothing_left.hpp"
#include "support/on_loop.hpp"
#include "support/stream_work.hpp"

namespace plait::test {
namespace {

using Addresses = std::vector<std::string>;

// Nothing of it outlives the case.
class WithNames : public NothingLeft {
 public:
  ~WithNames() {
    names.release();
    names.missing_family = AF_UNSPEC;
  }

  Names& names = Names::get();
};

Coroutine<> ignore_client(ReaderPtr, WriterPtr) { co_return; }

// The addresses at which a server for `host` listens.
Coroutine<Addresses> listen_at_name(std::string host) {
  auto starting = aio::start_server(ignore_client, std::move(host), 0);
  const auto server = co_await std::move(starting);
  co_return server->sockets();
}

TEST_SUITE_BEGIN("io/addresses");

// ---------------------------------------------------------------- slow names

Coroutine<bool> connects(std::string host, std::uint16_t port) {
  auto connecting = error_of(aio::open_connection(std::move(host), port));
  co_return !co_await std::move(connecting);
}

Coroutine<> look_up_while_one_is_slow(Names& names) {
  const auto server = co_await aio::start_server(ignore_client, "127.0.0.1", 0);
  auto slow = aio::create_task(connects("slow.test", server->port()));
  CHECK(co_await comes_true([&] { return names.waiting == 1; }));
  CHECK(co_await connects("quick.test", server->port()));
  CHECK_FALSE(slow.done());
  names.release();
  CHECK(co_await slow);
}

TEST_CASE_FIXTURE(WithNames, "resolving: a slow name does not keep another one waiting") {
  names.add("slow.test", {"127.0.0.1"});
  names.add("quick.test", {"127.0.0.1"});
  names.hold("slow.test");
  aio::run(look_up_while_one_is_slow(names));
}

Coroutine<> cancel_a_slow_one(Names& names) {
  auto slow = aio::create_task(connects("slow.test", 80));
  CHECK(co_await comes_true([&] { return names.waiting == 1; }));
  slow.cancel();
  CHECK(co_await throws<CancelledError>(
      [](aio::Task<bool> task) -> Coroutine<> { co_await task; }(slow)));
  CHECK(names.waiting == 1);  // nobody waits for the answer
  names.release();
}

TEST_CASE_FIXTURE(WithNames, "resolving: cancelling it does not wait for the answer") {
  names.add("slow.test", {"127.0.0.1"});
  names.hold("slow.test");
  aio::run(cancel_a_slow_one(names));
}

TEST_CASE_FIXTURE(WithNames, "resolving: addresses in figures need no resolver") {
  const int before = names.lookups;
  on_loop([]() -> Coroutine<> {
    const auto server = co_await aio::start_server(ignore_client, "127.0.0.1", 0);
    CHECK(co_await connects("127.0.0.1", server->port()));
  });
  CHECK(names.lookups == before);
}

TEST_CASE_FIXTURE(WithNames, "resolving: an unknown name is an error that names it") {
  names.add("odd.test", {"not an address"});
  on_loop([]() -> Coroutine<> {
    std::string text;
    try {
      co_await aio::open_connection("odd.test", 80);
    } catch (const std::system_error& error) {
      text = error.what();
    }
    CHECK(text.find("odd.test") != std::string::npos);
  });
}

// ---------------------------------------------------------------- missing addresses

TEST_CASE_FIXTURE(WithNames, "start_server: goes without the family that is missing") {
  names.add("two.test", {"::1", "127.0.0.1"});
  names.missing_family = AF_INET6;
  on_loop([]() -> Coroutine<> {
    const auto sockets = co_await listen_at_name("two.test");
    CHECK(sockets.size() == 1);
    CHECK(sockets.at(0).starts_with("127.0.0.1:"));
  });
}

TEST_CASE_FIXTURE(WithNames, "start_server: goes without an address that is not this machine's") {
  names.add("elsewhere.test", {"192.0.2.1", "127.0.0.1"});
  on_loop([]() -> Coroutine<> { CHECK((co_await listen_at_name("elsewhere.test")).size() == 1); });
}

TEST_CASE_FIXTURE(WithNames, "start_server: throws where no address is left") {
  names.add("none.test", {"192.0.2.1", "::1"});
  names.missing_family = AF_INET6;
  on_loop([]() -> Coroutine<> {
    const auto error = co_await error_of(listen_at_name("none.test"));
    CHECK(error == std::errc::address_family_not_supported);
  });
}

Coroutine<> listen_beside(std::string host) {
  const auto first = co_await aio::start_server(ignore_client, "127.0.0.1", 0);
  const auto error =
      co_await error_of(aio::start_server(ignore_client, std::move(host), first->port()));
  CHECK(error == std::errc::address_in_use);
}

TEST_CASE_FIXTURE(WithNames, "start_server: an address that is in use is not gone without") {
  names.add("used.test", {"127.0.0.2", "127.0.0.1"});
  on_loop([] { return listen_beside("used.test"); });
}

// ---------------------------------------------------------------- datagrams

Coroutine<std::string> name_of_endpoint(aio::DatagramOptions options) {
  const auto make = [] { return std::make_shared<aio::DatagramProtocol>(); };
  auto making = aio::create_datagram_endpoint(make, std::move(options));
  const auto [transport, protocol] = co_await std::move(making);
  transport->close();
  co_await aio::yield();
  co_return transport->sockname() + " to " + transport->peername();
}

TEST_CASE_FIXTURE(WithNames, "create_datagram_endpoint: takes the family that there is") {
  names.add("two.test", {"::1", "127.0.0.1"});
  names.missing_family = AF_INET6;
  on_loop([]() -> Coroutine<> {
    aio::DatagramOptions to, at;
    to.remote_addr.emplace("two.test", 9);
    at.local_addr.emplace("two.test", 0);
    CHECK((co_await name_of_endpoint(to)).ends_with(" to 127.0.0.1:9"));
    CHECK((co_await name_of_endpoint(at)).starts_with("127.0.0.1:"));
  });
}

TEST_CASE_FIXTURE(WithNames, "create_datagram_endpoint: takes the family that both sides have") {
  names.add("two.test", {"::1", "127.0.0.1"});
  on_loop([]() -> Coroutine<> {
    aio::DatagramOptions options;
    options.local_addr.emplace("127.0.0.1", 0);
    options.remote_addr.emplace("two.test", 9);
    CHECK((co_await name_of_endpoint(options)).ends_with(" to 127.0.0.1:9"));
    options.remote_addr.emplace("::1", 9);
    CHECK(co_await throws<std::invalid_argument>(name_of_endpoint(options)));
  });
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
