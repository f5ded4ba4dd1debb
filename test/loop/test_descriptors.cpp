// Readers, writers and signal handlers in odd orders, and what the selector does besides.
#include <doctest/doctest.h>

#include <fcntl.h>

#include <chrono>
#include <csignal>
#include <functional>
#include <memory>
#include <plait/aio.hpp>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "../support/lifetime_tracked.hpp"
#include "../support/log_capture.hpp"
#include "../support/loop_probe.hpp"
#include "../support/prepared_futures.hpp"
#include "../support/process_probe.hpp"
#include "../support/socket_pair.hpp"

namespace plait::test {
namespace {

using Strings = std::vector<std::string>;

// Enough iterations for all that is ready to be seen, and run.
void look_around(aio::EventLoop& loop) {
  for (int i = 0; i < 5; ++i) run_once(loop);
}

TEST_SUITE_BEGIN("loop/descriptors");

TEST_CASE("add_reader: replaces the reader, even in its own callback") {
  LifetimeCounts counts;
  aio::EventLoop loop;
  const SocketPair sockets;
  Strings calls;
  loop.add_reader(sockets.near(), [&, owned = LifetimeTracked(counts)] {
    calls.push_back("first");
    loop.add_reader(sockets.near(), [&] {
      calls.push_back("second " + sockets.receive());
      loop.stop();
    });
    CHECK(counts.live == 1);  // the callback lives as long as it runs
  });
  sockets.send("x");
  loop.run_forever();
  CHECK(calls == Strings{"first", "second x"});
  CHECK(counts.live == 0);
}

TEST_CASE("add_reader: readiness that is not used up is told again, others get their turns") {
  aio::EventLoop loop;
  const SocketPair sockets;
  int calls = 0, handles = 0;
  loop.add_reader(sockets.near(), [&] {
    if (++calls == 3) loop.stop();
  });
  std::function<void()> again = [&] {
    ++handles;
    loop.call_soon(again);
  };
  again();
  sockets.send("never read");
  loop.run_forever();
  CHECK(calls == 3);
  CHECK(handles >= 3);
}

TEST_CASE("add_reader: in place of one that was just removed is heard of") {
  aio::EventLoop loop;
  const SocketPair silent, talking;
  loop.add_reader(silent.near(), [] {});
  look_around(loop);
  loop.remove_reader(silent.near());
  loop.add_reader(talking.near(), [&] { loop.stop(); });
  talking.send("x");
  loop.run_forever();
}

TEST_CASE("remove_reader: however often, tells no other reader") {
  aio::EventLoop loop;
  const SocketPair silent, other;
  int calls = 0;
  loop.add_reader(silent.near(), [&] { ++calls; });
  for (int i = 0; i < 20'000; ++i) {
    loop.add_reader(other.near(), [] {});
    run_once(loop);
    loop.remove_reader(other.near());
  }
  CHECK(calls == 0);
}

TEST_CASE("remove_reader: in the same iteration as the event keeps the callback from running") {
  aio::EventLoop loop;
  const SocketPair first, second;
  Strings calls;
  const auto remove_other = [&](const SocketPair& other, const char* name) {
    return [&, name] {
      calls.push_back(name);
      loop.remove_reader(other.near());
    };
  };
  loop.add_reader(first.near(), remove_other(second, "first"));
  loop.add_reader(second.near(), remove_other(first, "second"));
  first.send("x");
  second.send("x");
  for (int i = 0; i < 3; ++i) run_once(loop);
  CHECK(calls.size() >= 1);
  for (const auto& call : calls) CHECK(call == calls[0]);
}

TEST_CASE("readers and writers of one descriptor: each is removed by itself") {
  aio::EventLoop loop;
  const SocketPair sockets;
  int reads = 0, writes = 0;
  loop.add_reader(sockets.near(), [&] {
    ++reads;
    sockets.receive();
  });
  loop.add_writer(sockets.near(), [&] {
    ++writes;
    CHECK(loop.remove_writer(sockets.near()));
  });
  look_around(loop);
  CHECK(writes == 1);
  sockets.send("x");
  look_around(loop);
  CHECK(reads == 1);
  loop.add_writer(sockets.near(), [&] { ++writes; });
  CHECK(loop.remove_reader(sockets.near()));
  sockets.send("x");
  run_once(loop);
  run_once(loop);
  CHECK(writes > 1);
  CHECK(reads == 1);
  CHECK(loop.remove_writer(sockets.near()));
}

TEST_CASE("a reader: removed and added again, it is told of what has come meanwhile") {
  aio::EventLoop loop;
  const SocketPair sockets;
  int calls = 0;
  for (int round = 1; round <= 3; ++round) {
    loop.add_reader(sockets.near(), [&] {
      ++calls;
      sockets.receive();
    });
    sockets.send("x");
    look_around(loop);
    CHECK(calls == round);
    CHECK(loop.remove_reader(sockets.near()));
    sockets.send("y");
    look_around(loop);
    CHECK(calls == round);
    sockets.receive();
  }
}

TEST_CASE("a reader: what it throws is reported, and it stays") {
  aio::EventLoop loop;
  const Reports reports(loop);
  const SocketPair sockets;
  loop.add_reader(sockets.near(), [&] {
    if (reports.size() == 1) loop.stop();
    throw TestError("in reader");
  });
  sockets.send("x");
  loop.run_forever();
  CHECK(reports.size() == 2);
  CHECK(reports.holds_error<TestError>());
}

TEST_CASE("a reader: the far end's closing is readiness") {
  aio::EventLoop loop;
  auto sockets = std::make_unique<SocketPair>();
  const int near = ::fcntl(sockets->near(), F_DUPFD_CLOEXEC, 0);
  int calls = 0;
  loop.add_reader(near, [&] {
    ++calls;
    loop.remove_reader(near);
    loop.stop();
  });
  sockets.reset();
  loop.run_forever();
  CHECK(calls == 1);
  ::close(near);
}

TEST_CASE("add_reader: refuses what cannot be watched, and the loop goes on") {
  aio::EventLoop loop;
  CHECK_THROWS_AS(loop.add_reader(-1, [] {}), std::system_error);
  CHECK_THROWS_AS(loop.add_writer(987654, [] {}), std::system_error);
  const int file = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  CHECK_THROWS_AS(loop.add_reader(file, [] {}), std::system_error);
  ::close(file);
  CHECK_FALSE(loop.remove_reader(-1));
  CHECK_THROWS_AS(loop.add_reader(0, nullptr), std::invalid_argument);
  look_around(loop);
}

TEST_CASE("remove_reader: of a loop that never watched anything costs no descriptor") {
  const auto before = descriptor_count();
  aio::EventLoop loop;
  CHECK_FALSE(loop.remove_reader(0));
  CHECK_FALSE(loop.remove_writer(0));
  CHECK_FALSE(loop.remove_signal_handler(SIGUSR1));
  CHECK(descriptor_count() == before);
}

TEST_CASE("virtual time: a loop that watches a descriptor waits for it where there is no timer") {
  aio::EventLoop loop({.virtual_time = true});
  const SocketPair sockets;
  loop.add_reader(sockets.near(), [&] { loop.stop(); });
  ProbedThread sender([&] { sockets.send("x"); });
  loop.run_forever();
  CHECK(loop.time() == Clock::time_point());
  loop.remove_reader(sockets.near());
  CHECK_THROWS_AS(loop.run_forever(), DeadlockError);
}

TEST_CASE("signals: a handler that throws is reported; several signals become several calls") {
  aio::EventLoop loop;
  const Reports reports(loop);
  int calls = 0;
  loop.add_signal_handler(SIGUSR1, [&] {
    ++calls;
    throw TestError("in handler");
  });
  ::raise(SIGUSR1);
  look_around(loop);
  ::raise(SIGUSR1);
  look_around(loop);
  CHECK(calls == 2);
  CHECK(reports.size() == 2);
}

TEST_CASE("signals: a handler may remove itself and others") {
  aio::EventLoop loop;
  int calls = 0;
  loop.add_signal_handler(SIGUSR1, [&] {
    ++calls;
    CHECK(loop.remove_signal_handler(SIGUSR1));
    CHECK(loop.remove_signal_handler(SIGUSR2));
  });
  loop.add_signal_handler(SIGUSR2, [&] { ++calls; });
  ::raise(SIGUSR1);
  look_around(loop);
  CHECK(calls == 1);
  CHECK_FALSE(loop.remove_signal_handler(SIGUSR2));
}

TEST_CASE("signals: two loops that handle one signal both hear of it") {
  aio::EventLoop first, second;
  int calls = 0;
  first.add_signal_handler(SIGUSR1, [&] { ++calls; });
  second.add_signal_handler(SIGUSR1, [&] { ++calls; });
  ::raise(SIGUSR1);
  look_around(first);
  look_around(second);
  CHECK(calls == 2);
}

TEST_CASE("context: the user's own Asio objects run in the loop, and may throw") {
  aio::EventLoop loop;
  const Reports reports(loop);
  Strings calls;
  boost::asio::steady_timer timer(loop.context(), 1ms);
  timer.async_wait([&](const auto&) {
    CHECK(aio::get_running_loop_or_null() == &loop);
    calls.push_back("timer");
    loop.stop();
  });
  boost::asio::post(loop.context(), [&] {
    calls.push_back("post");
    throw TestError("in Asio's handler");
  });
  loop.run_forever();
  CHECK(calls == Strings{"post", "timer"});
  REQUIRE(reports.size() == 1);
  CHECK(reports.holds_error<TestError>());
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
