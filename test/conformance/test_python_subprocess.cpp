// CPython's test_subprocess, what test_events says of subprocesses, and two children of
// test_unix_events. Left out, as they need a SubprocessProtocol: test_subprocess_protocol_events
// and the calls to protocols in test_proc_exited; close_fds=false, as no child inherits anything.
#include <doctest/doctest.h>
#include <signal.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <memory>
#include <plait/aio.hpp>
#include <plait/io/subprocess.hpp>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "support/nothing_left.hpp"
#include "support/on_loop.hpp"
#include "support/stream_work.hpp"
#include "support/subprocess_work.hpp"

namespace plait::test {
namespace {

using aio::create_subprocess_exec;
using aio::create_subprocess_shell;
using aio::create_task;
using aio::Stdio;
using aio::SubprocessOptions;

TEST_SUITE_BEGIN("conformance/test_subprocess");

std::error_code code_of(auto call) {
  try {
    call();
  } catch (const std::system_error& error) {
    return error.code();
  }
  return {};
}

// ---------------------------------------------------------------- processes

TEST_CASE_FIXTURE(NothingLeft,
                  "send_signal: throws ESRCH once the process has ended [cpython "
                  "test_subprocess.test_proc_exited]") {
  on_loop([]() -> Coroutine<> {
    const auto process = co_await shell("exit 6");
    CHECK(process->pid() > 0);
    CHECK_FALSE(process->returncode().has_value());
    CHECK(co_await process->wait() == 6);
    CHECK(process->returncode() == 6);
    CHECK(code_of([&] { process->send_signal(SIGTERM); }) == std::errc::no_such_process);
    CHECK(code_of([&] { process->terminate(); }) == std::errc::no_such_process);
    CHECK(code_of([&] { process->kill(); }) == std::errc::no_such_process);
  });
}

TEST_CASE_FIXTURE(NothingLeft,
                  "in: what is written there comes back from out [cpython "
                  "test_subprocess.test_stdin_stdout]") {
  on_loop([]() -> Coroutine<> {
    const auto process = co_await exec("cat");
    process->in()->write("some data");
    co_await process->in()->drain();
    process->in()->close();
    CHECK(co_await process->out()->read() == "some data");
    CHECK(co_await process->wait() == 0);
  });
}

TEST_CASE_FIXTURE(NothingLeft,
                  "communicate: gives what the process has written [cpython "
                  "test_subprocess.test_communicate]") {
  on_loop([]() -> Coroutine<> {
    for (const std::string input : {"some data", ""}) {
      const auto process = co_await exec("cat");
      const auto [out, err] = co_await process->communicate(input);
      CHECK(out == input);
      CHECK(err.empty());
      CHECK(process->returncode() == 0);
    }
  });
}

TEST_CASE_FIXTURE(NothingLeft,
                  "create_subprocess_shell: gives the command's status [cpython "
                  "test_subprocess.test_shell]") {
  on_loop([]() -> Coroutine<> {
    for (const bool new_session : {false, true}) {
      SubprocessOptions options;
      options.start_new_session = new_session;
      const auto process = co_await create_subprocess_shell("exit 7", options);
      CHECK(co_await process->wait() == 7);
    }
  });
}

TEST_CASE_FIXTURE(NothingLeft,
                  "kill, terminate, send_signal: end the process by that signal [cpython "
                  "test_subprocess.test_kill]") {
  on_loop([]() -> Coroutine<> {
    const auto killed = co_await exec("cat");
    killed->kill();
    CHECK(co_await killed->wait() == -SIGKILL);
    const auto terminated = co_await exec("cat");
    terminated->terminate();
    CHECK(co_await terminated->wait() == -SIGTERM);
    const auto hung_up = co_await exec("cat");
    hung_up->send_signal(SIGHUP);
    CHECK(co_await hung_up->wait() == -SIGHUP);
    CHECK(hung_up->returncode() == -SIGHUP);
  });
}

TEST_CASE_FIXTURE(NothingLeft,
                  "communicate: ignores that the process does not read [cpython "
                  "test_subprocess.test_communicate_ignore_broken_pipe]") {
  on_loop([]() -> Coroutine<> {
    const auto process = co_await exec("true");
    const auto [out, err] = co_await process->communicate(std::string(1 << 20, 'x'));
    CHECK(out.empty());
    CHECK(co_await process->wait() == 0);
  });
}

TEST_CASE_FIXTURE(NothingLeft,
                  "communicate: ends although a later process runs, as that has not the pipe "
                  "[cpython test_subprocess.test_stdin_not_inheritable]") {
  on_loop([]() -> Coroutine<> {
    for (const auto& [input, count] : {std::pair("abc", "3\n"), std::pair("", "0\n")}) {
      const auto process = co_await shell("wc -c");
      const auto later = co_await exec("cat");
      const auto [out, err] = co_await process->communicate(input);
      CHECK(out == count);
    }
  });
}

TEST_CASE_FIXTURE(NothingLeft,
                  "devnull: is empty to read and takes what is written [cpython "
                  "test_subprocess.test_devnull]") {
  on_loop([]() -> Coroutine<> {
    SubprocessOptions options = piped();
    options.in = Stdio::devnull;
    const auto reading = co_await create_subprocess_shell("wc -c", options);
    CHECK_FALSE(reading->in());
    CHECK((co_await reading->communicate()).first == "0\n");
    options.in = Stdio::inherit;
    options.out = options.err = Stdio::devnull;
    const auto writing = co_await create_subprocess_shell("echo out && echo err >&2", options);
    CHECK_FALSE(writing->out());
    CHECK_FALSE(writing->err());
    const auto [out, err] = co_await writing->communicate();
    CHECK((out.empty() && err.empty()));
    CHECK(writing->returncode() == 0);
  });
}

TEST_CASE_FIXTURE(NothingLeft,
                  "in: can be opened by the name /dev/stdin [cpython "
                  "test_subprocess.test_devstdin_input]") {
  on_loop([]() -> Coroutine<> {
    const auto process = co_await shell("wc -c < /dev/stdin");
    CHECK((co_await process->communicate("abc")).first == "3\n");
  });
}

TEST_CASE_FIXTURE(NothingLeft,
                  "wait: when cancelled leaves the process as it is [cpython "
                  "test_subprocess.test_cancel_process_wait]") {
  on_loop([]() -> Coroutine<> {
    const auto process = co_await exec("cat");
    const auto waiting = create_task(process->wait());
    co_await ticks(2);
    waiting.cancel();
    co_await settle(waiting);
    CHECK(waiting.cancelled());
    CHECK_FALSE(process->returncode().has_value());
    process->kill();
    CHECK(co_await process->wait() == -SIGKILL);
  });
}

// CPython closes the transport; here that is to drop the process.
TEST_CASE_FIXTURE(NothingLeft,
                  "Process: is killed when it is dropped [cpython "
                  "test_subprocess.test_close_kill_running]") {
  on_loop([]() -> Coroutine<> {
    auto process = co_await exec("cat");
    const auto writer = process->in();  // so that it is not the end of its input that ends it
    const pid_t pid = process->pid();
    CHECK(::kill(pid, 0) == 0);
    process.reset();
    CHECK(co_await comes_true([pid] { return ::kill(pid, 0) != 0; }));
    writer->close();
  });
}

TEST_CASE_FIXTURE(NothingLeft,
                  "create_subprocess_exec: that fails leaves no descriptor [cpython "
                  "test_subprocess.test_popen_error]") {
  on_loop([]() -> Coroutine<> {
    const std::size_t before = descriptor_count();
    for (const Stdio in : {Stdio::inherit, Stdio::pipe}) {
      SubprocessOptions options;
      options.in = in;
      auto starting = create_subprocess_exec(options, "/no/such/program");
      CHECK(co_await error_of(std::move(starting)) == std::errc::no_such_file_or_directory);
      CHECK(descriptor_count() == before);
    }
  });
}

TEST_CASE_FIXTURE(NothingLeft,
                  "out: has all that was written before the end [cpython "
                  "test_subprocess.test_read_stdout_after_process_exit]") {
  on_loop([]() -> Coroutine<> {
    static constexpr std::size_t size = 256UL * 1024;
    SubprocessOptions options = piped();
    options.limit = size;
    const auto process = co_await create_subprocess_shell("head -c 262144 /dev/zero", options);
    CHECK(co_await process->wait() == 0);
    std::size_t got = 0;
    for (;;) {
      const std::string piece = co_await process->out()->read(1024);
      if (piece.empty()) break;
      got += piece.size();
      co_await aio::yield();
    }
    CHECK(got == size);
    CHECK(process->out()->at_eof());
  });
}

TEST_CASE_FIXTURE(NothingLeft,
                  "env: is what the process has [cpython "
                  "test_subprocess.test_create_subprocess_env]") {
  on_loop([]() -> Coroutine<> {
    SubprocessOptions options = piped();
    options.env.emplace();
    options.env->emplace("FOO", "bar");
    const auto by_shell = co_await create_subprocess_shell("echo $FOO", options);
    CHECK((co_await by_shell->communicate()).first == "bar\n");
    const auto by_exec = co_await create_subprocess_exec(options, "/usr/bin/env");
    CHECK((co_await by_exec->communicate()).first == "FOO=bar\n");
  });
}

TEST_CASE_FIXTURE(NothingLeft,
                  "wait: tells everybody who waits [cpython "
                  "test_subprocess.test_subprocess_concurrent_wait]") {
  on_loop([]() -> Coroutine<> {
    const auto process = co_await shell("read line; exit 5");
    std::vector<aio::Task<int>> waiting;
    for (int i = 0; i < 10; ++i) waiting.push_back(create_task(process->wait()));
    co_await ticks(2);
    process->in()->close();
    for (const auto& task : waiting) CHECK(co_await task == 5);
  });
}

Coroutine<std::string> output_of(std::string command) {
  const auto process = co_await shell(std::move(command));
  auto both = co_await process->communicate();
  co_return both.first;
}

TEST_CASE_FIXTURE(NothingLeft,
                  "communicate: of ten processes at once gives each its own [cpython "
                  "test_subprocess.test_subprocess_communicate_stdout]") {
  on_loop([]() -> Coroutine<> {
    std::vector<aio::Task<std::string>> outputs;
    for (int i = 0; i < 10; ++i) {
      outputs.push_back(create_task(output_of("echo " + std::to_string(i))));
    }
    for (int i = 0; i < 10; ++i) {
      CHECK(co_await outputs[static_cast<std::size_t>(i)] == std::to_string(i) + "\n");
    }
  });
}

TEST_CASE_FIXTURE(NothingLeft,
                  "create_subprocess_exec: works in a thread that is not the main one [cpython "
                  "test_subprocess.test_create_subprocess_in_thread]") {
  std::string output;
  std::thread([&output] {
    on_loop([&output]() -> Coroutine<> { output = co_await output_of("echo here"); });
  }).join();
  CHECK(output == "here\n");
}

// ---------------------------------------------------------------- test_events

TEST_CASE_FIXTURE(
    NothingLeft,
    "in, out: serve a conversation [cpython test_events.test_subprocess_interactive]") {
  on_loop([]() -> Coroutine<> {
    const auto process = co_await exec("cat");
    for (const std::string text : {"Python ", "The Winner"}) {
      process->in()->write(text);
      CHECK(co_await process->out()->readexactly(text.size()) == text);
    }
    process->kill();
    CHECK(co_await process->wait() == -SIGKILL);
  });
}

TEST_CASE_FIXTURE(NothingLeft,
                  "to_stdout: brings errors on out, in order [cpython "
                  "test_events.test_subprocess_stderr_redirect_to_stdout]") {
  on_loop([]() -> Coroutine<> {
    SubprocessOptions options = piped();
    options.err = Stdio::to_stdout;
    const auto process =
        co_await create_subprocess_shell("echo one; echo two >&2; echo three", options);
    CHECK_FALSE(process->err());
    const auto [out, err] = co_await process->communicate();
    CHECK(out == "one\ntwo\nthree\n");
    CHECK(err.empty());
  });
}

TEST_CASE_FIXTURE(NothingLeft,
                  "Process: without pipes has none, and is dropped after its end in peace "
                  "[cpython test_events.test_subprocess_close_after_finish]") {
  on_loop([]() -> Coroutine<> {
    auto process = co_await create_subprocess_shell("exit 7");
    CHECK_FALSE(process->in());
    CHECK_FALSE(process->out());
    CHECK_FALSE(process->err());
    CHECK(co_await process->wait() == 7);
    process.reset();
  });
}

TEST_CASE_FIXTURE(NothingLeft,
                  "start_new_session: hides the status from nobody [cpython "
                  "test_events.test_subprocess_wait_no_same_group]") {
  on_loop([]() -> Coroutine<> {
    SubprocessOptions options;
    options.start_new_session = true;
    const auto process = co_await create_subprocess_shell("exit 7", options);
    CHECK(co_await process->wait() == 7);
    CHECK(process->returncode() == 7);
  });
}

// ---------------------------------------------------------------- test_unix_events

TEST_CASE_FIXTURE(NothingLeft,
                  "wait: two processes that end in turn or together each give their own status "
                  "[cpython test_unix_events.Child.test_sigchld_two_children]") {
  on_loop([]() -> Coroutine<> {
    for (const bool together : {false, true}) {
      const auto first = co_await shell("read line; exit 7");
      const auto second = co_await exec("cat");
      const auto first_ends = create_task(first->wait());
      const auto second_ends = create_task(second->wait());
      co_await ticks(2);
      if (together) second->send_signal(SIGKILL);
      first->in()->close();
      CHECK(co_await first_ends == 7);
      if (!together) {
        CHECK_FALSE(second_ends.done());
        second->send_signal(SIGKILL);
      }
      CHECK(co_await second_ends == -SIGKILL);
    }
  });
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
