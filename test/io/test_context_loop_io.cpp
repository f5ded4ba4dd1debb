// I/O in a loop that has its turns in an io_context of the test's.
#include <doctest/doctest.h>

#include <plait/aio.hpp>
#include <plait/bridge/asio.hpp>
#include <plait/io/datagrams.hpp>
#include <plait/io/streams.hpp>
#include <plait/io/subprocess.hpp>
#include <string>
#include <string_view>
#include <utility>

#include <boost/asio/io_context.hpp>

#include "support/nothing_left.hpp"
#include "support/stream_work.hpp"

namespace plait::test {
namespace {

TEST_SUITE_BEGIN("io/context_loop");

// The loop is gone before the io_context is, as users have it.
template <class T>
T run_in_context(Coroutine<T> main) {
  boost::asio::io_context context;
  aio::ContextLoop plait(context);
  auto task = plait.loop().create_task(std::move(main));
  context.run();
  return task.result();
}

Coroutine<> echo_lines(ReaderPtr reader, WriterPtr writer) {
  for (;;) {
    const std::string line = co_await reader->readline();
    if (line.empty()) co_return;
    writer->write(line);
    co_await writer->drain();
  }
}

Coroutine<std::string> ask(Family family) {
  const Place place(family);
  auto starting = place.serve(echo_lines);
  const auto server = co_await std::move(starting);
  auto connecting = place.connect(*server);
  const auto [reader, writer] = co_await std::move(connecting);
  std::string answer;
  for (const char* line : {"one\n", "two\n"}) {
    writer->write(line);
    answer += co_await reader->readline();
  }
  writer->close();
  co_await writer->wait_closed();
  server->close();
  co_await server->wait_closed();
  co_return answer;
}

TEST_CASE_FIXTURE(NothingLeft, "ContextLoop: streams connect, serve, read and write") {
  for (const Family family : families) CHECK(run_in_context(ask(family)) == "one\ntwo\n");
}

Coroutine<std::size_t> send_much() {
  const Place place(Family::tcp);
  auto connecting = connected(place);
  auto ends = co_await std::move(connecting);
  const auto send = [](WriterPtr to) -> Coroutine<> {
    for (int i = 0; i < 64; ++i) {
      to->write(std::string(64UL << 10, 'x'));
      co_await to->drain();
    }
    to->close();
  };
  auto sending = aio::create_task(send(std::move(ends.far_writer)));
  const auto all = co_await ends.reader->read();
  co_await sending;
  co_return all.size();
}

TEST_CASE_FIXTURE(NothingLeft, "ContextLoop: a reader and a writer wait for each other") {
  CHECK(run_in_context(send_much()) == 4UL << 20);
}

Coroutine<std::string> shell(std::string command) {
  aio::SubprocessOptions options;
  options.out = aio::Stdio::pipe;
  auto starting = aio::create_subprocess_shell(std::move(command), options);
  const auto process = co_await std::move(starting);
  auto talking = process->communicate();
  const auto [out, err] = co_await std::move(talking);
  co_return out;
}

TEST_CASE_FIXTURE(NothingLeft, "ContextLoop: a subprocess is heard, and its end") {
  CHECK(run_in_context(shell("echo text")) == "text\n");
}

// Answers the first datagram, and keeps what comes.
class Datagrams final : public aio::DatagramProtocol {
 public:
  void connection_made(aio::DatagramTransport& made) override { transport = &made; }
  void datagram_received(std::string_view data, const std::string& from) override {
    static_cast<void>(aio::get_running_loop());  // throws where this is called out of turn
    in_loop = true;
    got = data;
    if (data == "question") transport->sendto("answer", from);
    some.set();
  }

  aio::DatagramTransport* transport = nullptr;
  bool in_loop = false;
  std::string got;
  aio::Event some;
};

Coroutine<std::string> exchange_datagrams() {
  const auto here = std::make_shared<Datagrams>(), there = std::make_shared<Datagrams>();
  aio::DatagramOptions any;
  any.local_addr.emplace("127.0.0.1", 0);
  auto first = aio::create_datagram_endpoint([there] { return there; }, any);
  const auto far = co_await std::move(first);
  auto second = aio::create_datagram_endpoint([here] { return here; }, any);
  const auto near = co_await std::move(second);
  near.first->sendto("question", far.first->sockname());
  co_await here->some.wait();
  near.first->close();
  far.first->close();
  co_await aio::yield();
  CHECK(here->in_loop);
  co_return here->got;
}

TEST_CASE_FIXTURE(NothingLeft, "ContextLoop: datagrams come in its turns") {
  CHECK(run_in_context(exchange_datagrams()) == "answer");
}

TEST_CASE_FIXTURE(NothingLeft,
                  "ContextLoop: is closed with connections, which the context outlives") {
  boost::asio::io_context context;
  {
    aio::ContextLoop plait(context);
    const auto leave = []() -> Coroutine<Ends> {
      const Place place(Family::tcp);
      auto connecting = connected(place);
      auto ends = co_await std::move(connecting);
      ends.writer->write("unread");
      co_return ends;
    };
    auto task = plait.loop().create_task(leave());
    while (!task.done()) context.run_one();
  }
  context.run();  // what was ready for them finds nobody
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
