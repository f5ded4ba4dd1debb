// Subprocesses: what becomes of them when nobody holds them, of their pipes, and of other children.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <memory>
#include <plait/aio.hpp>
#include <plait/io/subprocess.hpp>
#include <string>
#include <system_error>
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

TEST_SUITE_BEGIN("io/subprocess");

constexpr std::size_t four_mib = 4UL << 20;

Coroutine<ProcessPtr> cat() { return exec("cat"); }
bool exists(pid_t pid) { return ::kill(pid, 0) == 0; }  // a zombie does, too

// The loop has its selector from now on, so that descriptors can be counted.
Coroutine<std::size_t> descriptors_of_a_used_loop() {
  const auto process = co_await create_subprocess_shell("exit 0");
  co_await process->wait();
  co_return descriptor_count();
}

// Sets what a signal does, for a scope; how often it came is counted.
class SignalAction {
 public:
  SignalAction(int number, void (*handler)(int)) : number_(number) {
    struct sigaction action{};
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    ::sigaction(number, &action, &before_);
  }
  ~SignalAction() { ::sigaction(number_, &before_, nullptr); }
  SignalAction(const SignalAction&) = delete;
  SignalAction& operator=(const SignalAction&) = delete;

 private:
  const int number_;
  struct sigaction before_{};
};

std::atomic<int> broken_pipes{0};
void count_broken_pipe(int) { ++broken_pipes; }
void reap_everything(int) {
  const int error = errno;
  while (::waitpid(-1, nullptr, WNOHANG) > 0) {
  }
  errno = error;
}

// ---------------------------------------------------------------- dropped

TEST_CASE_FIXTURE(NothingLeft, "Process: when dropped is killed, reaped, and its pipes closed") {
  on_loop([]() -> Coroutine<> {
    const std::size_t before = co_await descriptors_of_a_used_loop();
    auto process = co_await shell("exec sleep 1000");
    const pid_t pid = process->pid();
    CHECK(descriptor_count() > before);
    process.reset();
    CHECK(co_await comes_true([pid] { return !exists(pid); }));
    CHECK(co_await comes_true([before] { return descriptor_count() == before; }));
  });
}

TEST_CASE_FIXTURE(NothingLeft, "Process: is killed and reaped when its loop ends while it runs") {
  pid_t dropped_with_the_coroutine = 0;
  pid_t waited_for = 0;
  on_loop([&]() -> Coroutine<> {
    const auto first = co_await cat();
    const auto second = co_await cat();
    const auto waiting =
        create_task([](ProcessPtr process) -> Coroutine<> { co_await process->wait(); }(second));
    co_await ticks(2);
    dropped_with_the_coroutine = first->pid();
    waited_for = second->pid();
    CHECK((exists(dropped_with_the_coroutine) && exists(waited_for)));
  });
  CHECK_FALSE(exists(dropped_with_the_coroutine));
  CHECK_FALSE(exists(waited_for));
}

TEST_CASE_FIXTURE(NothingLeft, "Process: whose handle outlives the loop is killed by the handle") {
  ProcessPtr process;
  on_loop([&]() -> Coroutine<> { process = co_await cat(); });
  const pid_t pid = process->pid();
  process.reset();
  CHECK_FALSE(exists(pid));
}

TEST_CASE_FIXTURE(NothingLeft, "kill: reaches a process whose loop was closed") {
  ProcessPtr process;
  on_loop([&]() -> Coroutine<> { process = co_await shell("exec sleep 1000"); });
  REQUIRE(exists(process->pid()));
  CHECK_NOTHROW(process->kill());
}

// ---------------------------------------------------------------- other children and signals

TEST_CASE_FIXTURE(NothingLeft, "Process: reaps no child that is somebody else's") {
  const pid_t mine = ::fork();
  if (mine == 0) ::_exit(3);
  on_loop([]() -> Coroutine<> {
    const auto process = co_await cat();
    co_await process->communicate("text");
    const auto dropped = co_await cat();
  });
  int status = 0;
  CHECK(::waitpid(mine, &status, 0) == mine);
  CHECK(WEXITSTATUS(status) == 3);
}

TEST_CASE_FIXTURE(NothingLeft, "wait: ends although nobody can know the status") {
  for (void (*const handler)(int) : {SIG_IGN, &reap_everything}) {
    const SignalAction action(SIGCHLD, handler);
    on_loop([]() -> Coroutine<> {
      const auto process = co_await shell("exit 3");
      const int status = co_await process->wait();
      CHECK((status == 3 || status == 255));
      CHECK(process->returncode() == status);
      auto dropped = co_await cat();
      const pid_t pid = dropped->pid();
      dropped.reset();
      CHECK(co_await comes_true([pid] { return !exists(pid); }));
    });
  }
}

TEST_CASE_FIXTURE(NothingLeft, "terminate: ends a process although this one ignores the signal") {
  const SignalAction action(SIGTERM, SIG_IGN);
  on_loop([]() -> Coroutine<> {
    const auto process = co_await cat();
    process->terminate();
    CHECK(co_await process->wait() == -SIGTERM);
  });
}

TEST_CASE_FIXTURE(NothingLeft, "in: of a process that has ended raises no SIGPIPE") {
  const SignalAction action(SIGPIPE, &count_broken_pipe);
  broken_pipes = 0;
  on_loop([]() -> Coroutine<> {
    const auto process = co_await create_subprocess_exec(Args(1, "true"), piped());
    process->in()->write(std::string(four_mib, 'x'));
    auto draining = process->in()->drain();
    CHECK(co_await error_of(std::move(draining)) == std::errc::broken_pipe);
    const auto other = co_await create_subprocess_exec(Args(1, "true"), piped());
    co_await other->communicate(std::string(four_mib, 'x'));
  });
  CHECK(broken_pipes == 0);
}

// ---------------------------------------------------------------- communicate

TEST_CASE_FIXTURE(NothingLeft, "communicate: moves 4 MiB both ways") {
  on_loop([]() -> Coroutine<> {
    std::string input(four_mib, 'x');
    for (std::size_t i = 0; i < input.size(); i += 997) input[i] = static_cast<char>(i);
    const auto process = co_await cat();
    const auto [out, err] = co_await process->communicate(input);
    CHECK((out == input));
    CHECK(process->returncode() == 0);
  });
}

TEST_CASE_FIXTURE(NothingLeft, "communicate: reads what a process writes that closes its input") {
  on_loop([]() -> Coroutine<> {
    SubprocessOptions options = piped();
    options.err = Stdio::pipe;
    const auto process = co_await create_subprocess_shell(
        "head -c 1; exec <&-; head -c 1000000 /dev/zero; echo enough >&2; exit 4", options);
    const auto [out, err] = co_await process->communicate(std::string(four_mib, 'x'));
    CHECK(out.size() == 1'000'001);
    CHECK(err == "enough\n");
    CHECK(process->returncode() == 4);
  });
}

TEST_CASE_FIXTURE(NothingLeft, "communicate: follows writing by hand, closed or not") {
  on_loop([]() -> Coroutine<> {
    for (const bool as_eof : {false, true}) {
      const auto process = co_await cat();
      process->in()->write("by hand");
      as_eof ? process->in()->write_eof() : process->in()->close();
      CHECK((co_await process->communicate()).first == "by hand");
    }
    const auto process = co_await cat();
    process->in()->write("by hand, ");
    CHECK((co_await process->communicate("then not")).first == "by hand, then not");
  });
}

TEST_CASE_FIXTURE(NothingLeft,
                  "communicate: when cancelled leaves the process, and no descriptor") {
  on_loop([]() -> Coroutine<> {
    const std::size_t before = co_await descriptors_of_a_used_loop();
    auto process = co_await shell("exec sleep 1000");
    const auto talking = create_task(process->communicate(std::string(four_mib, 'x')));
    co_await ticks(5);
    talking.cancel();
    co_await settle(talking);
    CHECK(talking.cancelled());
    CHECK_FALSE(process->returncode().has_value());
    process.reset();
    CHECK(co_await comes_true([before] { return descriptor_count() == before; }));
  });
}

// ---------------------------------------------------------------- descriptors

// Runs in a child made by fork(), which gives its status; 14 seconds are all it has.
template <class Body>
int status_of_fork(Body body) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGABRT, SIG_DFL);
    ::signal(SIGSEGV, SIG_DFL);
    ::signal(SIGALRM, SIG_DFL);
    ::alarm(14);
    int status = 99;
    try {
      status = body();
    } catch (...) {
    }
    ::_exit(status);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

// 0: all is well; 1: the answer is wrong; 2: a pipe has the number of a standard stream.
int talk_without(const std::vector<int>& closed) {
  int result = 1;
  on_loop([&]() -> Coroutine<> {
    co_await descriptors_of_a_used_loop();  // so that it is not the loop's that get the numbers
    for (const int fd : closed) ::close(fd);
    SubprocessOptions options = piped();
    options.err = Stdio::pipe;
    const auto process = co_await create_subprocess_shell("cat; echo error >&2", options);
    bool mixed_up = false;
    for (const int fd : closed) mixed_up = mixed_up || ::write(fd, "oops", 4) == 4;
    const auto [out, err] = co_await process->communicate("text");
    const bool right = out == "text" && err == "error\n" && process->returncode() == 0;
    result = mixed_up ? 2 : right ? 0 : 1;
  });
  return result;
}

TEST_CASE_FIXTURE(NothingLeft, "create_subprocess_exec: keeps its pipes off closed stdio") {
  const std::vector<std::vector<int>> all_closed{{0}, {1}, {2}, {0, 1}, {1, 2}, {0, 1, 2}};
  for (const auto& closed : all_closed) {
    CAPTURE(closed.front());
    CAPTURE(closed.size());
    CHECK(status_of_fork([&] { return talk_without(closed); }) == 0);
  }
}

TEST_CASE_FIXTURE(NothingLeft, "create_subprocess_exec: hands on no other descriptor") {
  const int open_to_all = ::fcntl(STDERR_FILENO, F_DUPFD, 50);
  on_loop([=]() -> Coroutine<> {
    const auto process = co_await shell("test -e /proc/self/fd/" + std::to_string(open_to_all));
    CHECK(co_await process->wait() == 1);
  });
  ::close(open_to_all);
}

class DescriptorLimit {
 public:
  DescriptorLimit() { ::getrlimit(RLIMIT_NOFILE, &before_); }
  ~DescriptorLimit() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  DescriptorLimit(const DescriptorLimit&) = delete;
  DescriptorLimit& operator=(const DescriptorLimit&) = delete;
  void set(rlim_t limit) const {
    const rlimit limits{limit, before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &limits);
  }

 private:
  rlimit before_{};
};

// False: it was refused, for want of descriptors.
Coroutine<bool> has_all_pipes_below(rlim_t descriptors) {
  const DescriptorLimit limit;
  limit.set(descriptors);
  SubprocessOptions options = piped();
  options.err = Stdio::pipe;
  ProcessPtr process;
  try {
    process = co_await create_subprocess_exec(options, "cat");
  } catch (const std::system_error& error) {
    CHECK((error.code() == std::errc::too_many_files_open || error.code().value() == EINVAL));
    co_return false;
  }
  CAPTURE(descriptors);
  CHECK((process->in() && process->out() && process->err()));
  co_return true;
}

TEST_CASE_FIXTURE(NothingLeft,
                  "create_subprocess_exec: gives all pipes or throws for want of them") {
  on_loop([]() -> Coroutine<> {
    const std::size_t before = co_await descriptors_of_a_used_loop();
    for (rlim_t limit = 11; limit < 64; ++limit) {
      const bool enough = co_await has_all_pipes_below(limit);
      CHECK(co_await comes_true([=] { return descriptor_count() == before && !has_children(); }));
      if (enough) co_return;
    }
    FAIL_CHECK("64 descriptors are not enough");
  });
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
