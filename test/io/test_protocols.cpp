// Tests of I/O by callbacks.
#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <plait/aio.hpp>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/nothing_left.hpp"
#include "support/on_loop.hpp"

namespace plait::test {
namespace {

using Events = std::vector<std::string>;

// Writes down what it is told.
class Recorder : public aio::Protocol {
 public:
  void connection_made(aio::Transport& made) override {
    transport = &made;
    events.emplace_back("made");
  }
  void data_received(std::string_view data) override {
    events.emplace_back(data);
    some.set();
  }
  bool eof_received() override {
    events.emplace_back("eof");
    return false;
  }
  void connection_lost(std::exception_ptr error) override {
    events.emplace_back(error ? "error" : "lost");
    lost.set();
  }

  Events events;
  aio::Event some, lost;
  aio::Transport* transport = nullptr;
};

struct Pair {
  std::shared_ptr<aio::Server> server;
  std::shared_ptr<Recorder> here, there;
};

Coroutine<Pair> connect(std::shared_ptr<Recorder> here, std::shared_ptr<Recorder> there) {
  auto serving = aio::create_server([there] { return there; }, "localhost", 0);
  auto server = co_await std::move(serving);
  Pair pair{std::move(server), here, there};
  auto connecting =
      aio::create_connection([here] { return here; }, "localhost", pair.server->port());
  const auto connection = co_await std::move(connecting);
  CHECK(connection.second == here);
  CHECK(connection.first->get_protocol() == here);
  while (!there->transport) co_await aio::sleep(std::chrono::milliseconds(1));
  co_return pair;
}
Coroutine<> end(Pair pair) {
  pair.here->transport->close();
  co_await pair.here->lost.wait();
  co_await pair.there->lost.wait();
  pair.server->close();
  co_await pair.server->wait_closed();
}

TEST_SUITE_BEGIN("io/protocols");

TEST_CASE_FIXTURE(NothingLeft,
                  "create_server: its protocols hear of all that happens, in order [cpython "
                  "test_events.test_create_server]") {
  aio::run([]() -> Coroutine<> {
    const Pair pair = co_await connect(std::make_shared<Recorder>(), std::make_shared<Recorder>());
    CHECK(pair.there->transport->peername() == pair.here->transport->sockname());
    CHECK(pair.there->transport->sockname() == pair.here->transport->peername());
    pair.here->transport->write("xxx");
    co_await pair.there->some.wait();
    co_await end(pair);
    CHECK(pair.there->events == Events{"made", "xxx", "eof", "lost"});
    CHECK(pair.here->events == Events{"made", "lost"});
  }());
}

// Receives into four bytes of its own.
class Buffered final : public aio::BufferedProtocol {
 public:
  std::span<char> get_buffer() override { return room_; }
  void buffer_updated(std::size_t size) override {
    CHECK(size <= room_.size());
    all.append(room_.data(), size);
    if (all.size() == 10) ten.set();
  }

  std::string all;
  aio::Event ten;

 private:
  std::array<char, 4> room_{};
};

TEST_CASE_FIXTURE(NothingLeft, "set_protocol: from then on another one hears of it") {
  aio::run([]() -> Coroutine<> {
    const Pair pair = co_await connect(std::make_shared<Recorder>(), std::make_shared<Recorder>());
    const auto buffered = std::make_shared<Buffered>();
    pair.there->transport->set_protocol(buffered);
    pair.here->transport->write("0123456789");
    co_await buffered->ten.wait();
    CHECK(buffered->all == "0123456789");
    pair.there->transport->set_protocol(pair.there);
    co_await end(pair);
  }());
}

// Stops receiving at the first bytes.
class Pausing final : public Recorder {
 public:
  void data_received(std::string_view data) override {
    Recorder::data_received(data);
    transport->pause_reading();
  }
};

TEST_CASE_FIXTURE(NothingLeft, "pause_reading: a paused connection lives on until it is closed") {
  aio::run([]() -> Coroutine<> {
    const auto pausing = std::make_shared<Pausing>();
    const Pair pair = co_await connect(std::make_shared<Recorder>(), pausing);
    pair.here->transport->write("x");
    co_await pausing->some.wait();
    co_await aio::sleep(std::chrono::milliseconds(1));
    CHECK_FALSE(pausing->transport->is_reading());
    pausing->transport->write("y");
    co_await pair.here->some.wait();
    pausing->transport->close();
    co_await end(pair);
    CHECK(pausing->events == Events{"made", "x", "lost"});
  }());
}

// Throws where it is told to.
class Throwing final : public Recorder {
 public:
  explicit Throwing(std::string where) : where_(std::move(where)) {}
  void connection_made(aio::Transport& made) override {
    Recorder::connection_made(made);
    maybe_throw("connection_made");
  }
  void data_received(std::string_view data) override {
    Recorder::data_received(data);
    maybe_throw("data_received");
  }
  bool eof_received() override {
    maybe_throw("eof_received");
    return Recorder::eof_received();
  }
  void connection_lost(std::exception_ptr error) override {
    Recorder::connection_lost(std::move(error));
    maybe_throw("connection_lost");
  }

 private:
  void maybe_throw(const char* function) const {
    if (where_ == function) throw std::out_of_range(function);
  }
  const std::string where_;
};

TEST_CASE_FIXTURE(NothingLeft,
                  "protocol: what it throws is reported once, and ends its connection only") {
  for (const char* const where :
       {"connection_made", "data_received", "eof_received", "connection_lost"}) {
    CAPTURE(where);
    aio::EventLoop loop;
    std::vector<std::string> reports;
    loop.set_exception_handler([&](aio::EventLoop&, const aio::ExceptionContext& context) {
      reports.push_back(context.message);
      CHECK_THROWS_AS(std::rethrow_exception(context.exception), std::out_of_range);
    });
    loop.run_until_complete([](const char* function) -> Coroutine<> {
      const Pair pair =
          co_await connect(std::make_shared<Recorder>(), std::make_shared<Throwing>(function));
      pair.here->transport->write("x");
      if (std::string_view(function) != "connection_made") co_await pair.there->some.wait();
      co_await end(pair);
    }(where));
    REQUIRE(reports.size() == 1);
    CHECK(reports[0].find(where) != std::string::npos);
  }
}

TEST_CASE_FIXTURE(NothingLeft, "create_server: a factory that makes nothing is reported") {
  aio::EventLoop loop;
  int reports = 0;
  loop.set_exception_handler([&](aio::EventLoop&, const aio::ExceptionContext&) { ++reports; });
  loop.run_until_complete([]() -> Coroutine<> {
    const auto nothing = [] { return std::shared_ptr<aio::Protocol>(); };
    const auto server = co_await aio::create_server(nothing, "localhost", 0);
    const auto [reader, writer] = co_await aio::open_connection("localhost", server->port());
    CHECK(co_await reader->read() == "");
    CHECK(co_await throws<std::invalid_argument>(
        aio::create_connection(nothing, "localhost", server->port())));
    server->close();
    co_await server->wait_closed();
  }());
  CHECK(reports >= 1);
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
