// A program whose loop meets Ctrl-C or fork(): run as `loop_scenarios NAME` by the tests of both.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <plait/aio.hpp>
#include <plait/futures.hpp>
#include <string>
#include <thread>

#include "../process_probe.hpp"
#include "../socket_pair.hpp"
#include "../tsan_suppressions.hpp"

#if defined(__SANITIZE_THREAD__)
extern "C" const char* __tsan_default_options() { return "die_after_fork=0 report_thread_leaks=0"; }
#elif defined(__SANITIZE_ADDRESS__)
// In the child of a fork() the search for leaks looks for threads that do not exist there.
extern "C" const char* __asan_default_options() { return "detect_leaks=0"; }
#endif

namespace plait::test {
namespace {

void say(const char* text) {
  std::fputs(text, stdout);
  std::fflush(stdout);
}

// A user who presses Ctrl-C as soon as the main thread sleeps.
class User {
 public:
  explicit User(int times)
      : thread_([times, main = this_thread_id()] {
          for (int i = 0; i < times; ++i) {
            if (!eventually([&] { return is_asleep(main); })) std::_Exit(99);
            ::kill(::getpid(), SIGINT);
            if (!eventually([&] { return delivered > i; })) std::_Exit(98);
          }
        }) {}
  ~User() { thread_.join(); }
  User(const User&) = delete;
  User& operator=(const User&) = delete;

  static inline std::atomic<int> delivered{0};

 private:
  std::thread thread_;
};

Coroutine<int> sleep_and_tell(bool with_selector, bool stubborn) {
  const SocketPair sockets;
  if (with_selector) aio::get_running_loop().add_reader(sockets.near(), [] {});
  for (int i = 0;; ++i) {
    try {
      co_await aio::sleep(1h);
    } catch (const CancelledError&) {
      say("cancelled\n");
      ++User::delivered;
      if (!stubborn || i > 0) throw;
    }
  }
}

int interrupted(bool with_selector) {
  User user(1);
  try {
    aio::run(sleep_and_tell(with_selector, false));
  } catch (const KeyboardInterrupt& error) {
    say(error.what());
  }
  return 0;
}

int interrupted_twice(bool with_selector) {
  User user(2);
  {
    aio::Runner runner;
    try {
      runner.run(sleep_and_tell(with_selector, true));
    } catch (const KeyboardInterrupt&) {
      say("interrupted\n");
    }
    // The task is still there: close() cancels it.
    say(aio::all_tasks(runner.get_loop()).size() == 1 ? "closing\n" : "no task\n");
  }
  return 0;
}

Coroutine<int> handle_interrupt_itself() {
  auto& loop = aio::get_running_loop();
  auto promise = loop.create_promise<int>();
  loop.add_signal_handler(SIGINT, [promise]() mutable {
    ++User::delivered;
    promise.set_result(3);
  });
  co_return co_await promise.get_future();
}

int own_handler() {
  aio::Runner runner;
  int status = 0;
  {
    User user(1);
    status = runner.run(handle_interrupt_itself());
  }
  struct sigaction action{};
  ::sigaction(SIGINT, nullptr, &action);
  say(action.sa_handler == SIG_DFL ? "lost\n" : "kept\n");
  return status;
}

int default_afterwards() {
  aio::run(aio::yield());
  ::raise(SIGINT);
  return 1;
}

// ---------------------------------------------------------------- fork

template <class Body>
std::string end_of_child(Body body) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(20);
    ::_exit(body());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? "child exited with " + std::to_string(WEXITSTATUS(status)) + "\n"
                           : "child ended by signal " + std::to_string(WTERMSIG(status)) + "\n";
}

Coroutine<int> give(int value) {
  co_await aio::sleep(1ms);
  co_return value;
}

template <class Body>
Coroutine<> fork_in_coroutine(Body body) {
  co_await aio::yield();
  say(end_of_child(body).c_str());
  co_await aio::yield();
  say(aio::get_running_loop_or_null() ? "parent goes on\n" : "parent has no loop\n");
}

int fork_and_look() {
  aio::run(fork_in_coroutine([] { return aio::get_running_loop_or_null() ? 1 : 11; }));
  return 0;
}

int fork_and_run() {
  aio::run(fork_in_coroutine([] {
    aio::EventLoop loop;
    return loop.run_until_complete(give(5)) + aio::run(give(7));
  }));
  return 0;
}

int fork_with_selector_and_run() {
  aio::Runner runner;
  runner.get_loop().context();
  runner.run(fork_in_coroutine([] {
    aio::EventLoop loop;
    loop.context();
    return loop.run_until_complete(give(12));
  }));
  return 0;
}

int fork_and_interrupt() {
  aio::run(fork_in_coroutine([] {
    ::raise(SIGINT);
    return 1;
  }));
  return 0;
}

int fork_and_run_interrupted() {
  aio::run(fork_in_coroutine([] {
    try {
      User user(1);
      aio::run(sleep_and_tell(false, false));
    } catch (const KeyboardInterrupt&) {
      return 13;
    }
    return 1;
  }));
  return 0;
}

int fork_while_another_thread_has_the_loop() {
  aio::EventLoop loop;
  std::thread runner([&] { loop.run_forever(); });
  ThreadPoolExecutor pool(1);
  say(end_of_child([] { return aio::run(give(14)); }).c_str());
  loop.call_soon_threadsafe([&] { loop.stop(); });
  runner.join();
  return pool.submit([] { return 2; }).result();
}

const std::map<std::string, int (*)()> scenarios{
    {"interrupted", [] { return interrupted(false); }},
    {"interrupted_in_selector", [] { return interrupted(true); }},
    {"interrupted_twice", [] { return interrupted_twice(false); }},
    {"interrupted_twice_in_selector", [] { return interrupted_twice(true); }},
    {"own_handler", own_handler},
    {"default_afterwards", default_afterwards},
    {"fork_and_look", fork_and_look},
    {"fork_and_run", fork_and_run},
    {"fork_with_selector_and_run", fork_with_selector_and_run},
    {"fork_and_interrupt", fork_and_interrupt},
    {"fork_and_run_interrupted", fork_and_run_interrupted},
    {"fork_while_another_thread_has_the_loop", fork_while_another_thread_has_the_loop},
};

}  // namespace
}  // namespace plait::test

int main(int count, char** arguments) {
  ::alarm(60);
  const auto found = plait::test::scenarios.find(count > 1 ? arguments[1] : "");
  return found == plait::test::scenarios.end() ? 97 : found->second();
}
