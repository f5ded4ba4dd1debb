// CPython's cases of the public face of a loop: running, callbacks, descriptors, signals, closing.
// Left out: connections, servers, datagrams, pipes and subprocesses belong to other features;
// signal handlers have no handle that could be cancelled (test_handle_signal_cancelled_handler).
#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <plait/aio.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "../support/lifetime_tracked.hpp"
#include "../support/log_capture.hpp"
#include "../support/loop_probe.hpp"
#include "../support/socket_pair.hpp"

namespace plait::test {
namespace {

using namespace std::chrono_literals;
using Strings = std::vector<std::string>;

constexpr aio::LoopOptions virtual_time{.virtual_time = true};

TEST_SUITE_BEGIN("conformance/events");

Coroutine<> count_as(LifetimeTracked) { co_return; }

Coroutine<> run_own_loop(aio::EventLoop& loop, LifetimeCounts& counts) {
  CHECK_THROWS_AS(loop.run_until_complete(count_as(LifetimeTracked(counts))), RuntimeError);
  CHECK(counts.live == 0);
  CHECK(aio::all_tasks(loop).size() == 1);
  co_return;
}

TEST_CASE(
    "run_until_complete: refuses to run inside of its own run, and drops the coroutine unrun "
    "[cpython test_events.test_run_until_complete_nesting]") {
  aio::EventLoop loop;
  LifetimeCounts counts;
  loop.run_until_complete(run_own_loop(loop, counts));
}

TEST_CASE(
    "run_until_complete: lasts as long as what it waits for "
    "[cpython test_events.test_run_until_complete]") {
  aio::EventLoop loop(virtual_time), real;
  loop.run_until_complete(aio::sleep(100ms));
  CHECK(loop.time() == Clock::time_point() + 100ms);
  const auto start = Clock::now();
  real.run_until_complete(aio::sleep(10ms));
  CHECK(Clock::now() - start >= 10ms);
}

Coroutine<> stop_and_wait(aio::EventLoop& loop) {
  loop.stop();
  co_await aio::sleep(1h);
}

TEST_CASE(
    "run_until_complete: throws where the loop is stopped first "
    "[cpython test_events.test_run_until_complete_stopped]") {
  const LogCapture log;  // of the task that is still pending when the loop is closed
  aio::EventLoop loop(virtual_time);
  const auto text = text_of<RuntimeError>([&] { loop.run_until_complete(stop_and_wait(loop)); });
  CHECK(text == "Event loop stopped before Future completed.");
  CHECK_FALSE(loop.is_running());
}

TEST_CASE("call_soon: binds arguments [cpython test_events.test_call_soon]") {
  aio::EventLoop loop;
  Strings results;
  const auto callback = [&](const std::string& a, const std::string& b) {
    results = {a, b};
    loop.stop();
  };
  loop.call_soon(callback, "hello", std::string("world"));
  loop.run_forever();
  CHECK(results == Strings{"hello", "world"});
}

TEST_CASE(
    "call_soon_threadsafe: in the loop's thread keeps the order of the calls "
    "[cpython test_events.test_call_soon_threadsafe_same_thread]") {
  aio::EventLoop loop;
  Strings results;
  const auto note = [&](const char* text) { results.push_back(text); };
  const auto all = [&] {
    loop.call_soon_threadsafe(note, "a");
    loop.call_soon(note, "b");
    loop.call_soon_threadsafe(note, "c");
    loop.call_soon([&] { loop.stop(); });
  };
  all();
  loop.run_forever();
  CHECK(results == Strings{"a", "b", "c"});
  loop.call_soon(all);
  loop.run_forever();
  CHECK(results == Strings{"a", "b", "c", "a", "b", "c"});
}

TEST_CASE(
    "add_reader: calls back as long as there is something to read "
    "[cpython test_events.test_reader_callback]") {
  aio::EventLoop loop;
  const SocketPair sockets;
  std::string received;
  loop.add_reader(sockets.near(), [&] {
    received += sockets.receive();
    loop.stop();
  });
  sockets.send("abc");
  loop.run_forever();
  CHECK(received == "abc");
  sockets.send("def");
  loop.run_forever();
  CHECK(received == "abcdef");
  CHECK(loop.remove_reader(sockets.near()));
  CHECK_FALSE(loop.remove_reader(sockets.near()));
  sockets.send("ghi");
  for (int i = 0; i < 5; ++i) run_once(loop);
  CHECK(received == "abcdef");
}

TEST_CASE("add_writer: calls back while there is room [cpython test_events.test_writer_callback]") {
  aio::EventLoop loop;
  const SocketPair sockets;
  int calls = 0;
  loop.add_writer(sockets.near(), [&] {
    if (++calls == 3) loop.stop();
  });
  loop.run_forever();
  CHECK(calls == 3);
  CHECK(loop.remove_writer(sockets.near()));
  CHECK_FALSE(loop.remove_writer(sockets.near()));
  for (int i = 0; i < 5; ++i) run_once(loop);
  CHECK(calls == 3);
}

bool has_default_action(int sig) {
  struct sigaction action{};
  ::sigaction(sig, nullptr, &action);
  return action.sa_handler == SIG_DFL;
}

TEST_CASE(
    "add_signal_handler: runs the handler in the loop until it is removed "
    "[cpython test_events.test_add_signal_handler]") {
  aio::EventLoop loop;
  for (const int sig : {0, -1, NSIG + 1}) {
    CHECK_THROWS_AS(loop.add_signal_handler(sig, [] {}), std::invalid_argument);
    CHECK_THROWS_AS(loop.remove_signal_handler(sig), std::invalid_argument);
  }
  CHECK_THROWS_AS(loop.add_signal_handler(SIGKILL, [] {}), RuntimeError);
  CHECK_FALSE(loop.remove_signal_handler(SIGKILL));
  int calls = 0;
  loop.add_signal_handler(SIGUSR1, [&] {
    ++calls;
    CHECK(aio::get_running_loop_or_null() == &loop);
    loop.stop();
  });
  ::raise(SIGUSR1);
  CHECK(calls == 0);
  loop.run_forever();
  CHECK(calls == 1);
  CHECK_FALSE(has_default_action(SIGUSR1));
  CHECK(loop.remove_signal_handler(SIGUSR1));
  CHECK(has_default_action(SIGUSR1));
  CHECK_FALSE(loop.remove_signal_handler(SIGUSR1));
}

TEST_CASE(
    "descriptors: after close() none can be added, and removing finds none "
    "[cpython test_events.test_remove_fds_after_closing]") {
  aio::EventLoop loop;
  const SocketPair sockets;
  loop.add_reader(sockets.near(), [] {});
  loop.close();
  CHECK_FALSE(loop.remove_reader(sockets.near()));
  CHECK_FALSE(loop.remove_writer(sockets.near()));
  CHECK_THROWS_AS(loop.add_reader(sockets.near(), [] {}), RuntimeError);
  CHECK_THROWS_AS(loop.add_writer(sockets.near(), [] {}), RuntimeError);
  sockets.send("the descriptor is still the user's");
  CHECK(sockets.receive().size() == 34);
}

TEST_CASE("close: everything but close() then throws [cpython test_events.test_close]") {
  aio::EventLoop loop;
  loop.close();
  const auto nothing = [] {};
  CHECK_THROWS_AS(loop.run_forever(), RuntimeError);
  CHECK_THROWS_AS(loop.run_until_complete(empty_coroutine()), RuntimeError);
  CHECK_THROWS_AS(loop.call_soon(nothing), RuntimeError);
  CHECK_THROWS_AS(loop.call_soon_threadsafe(nothing), RuntimeError);
  CHECK_THROWS_AS(loop.call_later(1s, nothing), RuntimeError);
  CHECK_THROWS_AS(loop.call_at(loop.time() + 1s, nothing), RuntimeError);
  CHECK_THROWS_AS(loop.create_task(empty_coroutine()), RuntimeError);
  CHECK_THROWS_AS(loop.add_signal_handler(SIGUSR1, nothing), RuntimeError);
  CHECK_THROWS_AS(loop.run_in_executor(nullptr, nothing), RuntimeError);
}

Coroutine<> close_own_loop(aio::EventLoop& loop) {
  CHECK_THROWS_AS(loop.close(), RuntimeError);
  CHECK_FALSE(loop.is_closed());
  co_return;
}

TEST_CASE("close: refuses while the loop runs") {
  aio::EventLoop loop;
  loop.run_until_complete(close_own_loop(loop));
}

TEST_CASE(
    "handles: cancelled() after cancel() only [cpython test_events.HandleTests.test_handle]") {
  aio::EventLoop loop;
  auto handle = loop.call_soon([] {});
  CHECK_FALSE(handle.cancelled());
  handle.cancel();
  CHECK(handle.cancelled());
  auto late = loop.call_soon([] {});
  run_briefly(loop);
  late.cancel();
  CHECK_FALSE(late.cancelled());
}

Coroutine<> check_running_loop(aio::EventLoop& loop) {
  CHECK(&aio::get_running_loop() == &loop);
  CHECK(&aio::get_event_loop() == &loop);
  co_return;
}

TEST_CASE(
    "get_running_loop: inside of a task or callback only "
    "[cpython test_events.test_get_event_loop_returns_running_loop]") {
  aio::EventLoop loop, set;
  CHECK_THROWS_AS(aio::get_running_loop(), RuntimeError);
  CHECK_THROWS_AS(aio::get_event_loop(), RuntimeError);
  aio::set_event_loop(&set);
  CHECK(&aio::get_event_loop() == &set);
  CHECK_THROWS_AS(aio::get_running_loop(), RuntimeError);
  loop.run_until_complete(check_running_loop(loop));
  loop.call_soon([&] { CHECK(&aio::get_running_loop() == &loop); });
  run_briefly(loop);
  aio::set_event_loop(nullptr);
  CHECK(aio::get_running_loop_or_null() == nullptr);
  CHECK_THROWS_AS(aio::get_event_loop(), RuntimeError);
}

TEST_CASE(
    "signals: numbers out of range are refused [cpython "
    "test_unix_events.Signal.test_check_signal]") {
  aio::EventLoop loop;
  CHECK_THROWS_AS(loop.add_signal_handler(NSIG, [] {}), std::invalid_argument);
  CHECK_THROWS_AS(loop.remove_signal_handler(NSIG + 1), std::invalid_argument);
}

template <class F>
concept SignalHandler =
    requires(aio::EventLoop& loop, F handler) { loop.add_signal_handler(SIGUSR1, handler); };

TEST_CASE(
    "signals: a coroutine is no handler "
    "[cpython test_unix_events.Signal.test_add_signal_handler_coroutine_error]") {
  CHECK(SignalHandler<void (*)()>);
  CHECK_FALSE(SignalHandler<Coroutine<>>);
}

TEST_CASE(
    "remove_signal_handler: restores the default of that signal, not of others "
    "[cpython test_unix_events.Signal.test_remove_signal_handler]") {
  aio::EventLoop loop;
  int first = 0, second = 0;
  loop.add_signal_handler(SIGUSR1, [&] { ++first; });
  loop.add_signal_handler(SIGUSR2, [&] { ++second; });
  CHECK(loop.remove_signal_handler(SIGUSR1));
  CHECK(has_default_action(SIGUSR1));
  CHECK_FALSE(has_default_action(SIGUSR2));
  ::raise(SIGUSR2);
  for (int i = 0; i < 5; ++i) run_once(loop);
  CHECK(first == 0);
  CHECK(second == 1);
}

TEST_CASE("add_signal_handler: replaces the handler that the signal had") {
  aio::EventLoop loop;
  int first = 0, second = 0;
  loop.add_signal_handler(SIGUSR1, [&] { ++first; });
  loop.add_signal_handler(SIGUSR1, [&] { ++second; });
  ::raise(SIGUSR1);
  for (int i = 0; i < 5; ++i) run_once(loop);
  CHECK(first == 0);
  CHECK(second == 1);
}

TEST_CASE("close: removes the signal handlers [cpython test_unix_events.Signal.test_close]") {
  aio::EventLoop loop;
  loop.add_signal_handler(SIGUSR1, [] {});
  loop.add_signal_handler(SIGUSR2, [] {});
  CHECK_FALSE(has_default_action(SIGUSR1));
  loop.close();
  CHECK(has_default_action(SIGUSR1));
  CHECK(has_default_action(SIGUSR2));
  CHECK_FALSE(loop.remove_signal_handler(SIGUSR1));
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
