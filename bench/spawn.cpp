// Question: what does it cost to run another program and wait for its end?
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <plait/aio.hpp>

#include "harness.hpp"

namespace {

namespace aio = plait::aio;

plait::Coroutine<> spawn_all(int programs) {
  const aio::SubprocessOptions options;
  for (int i = 0; i < programs; ++i) {
    const auto process = co_await aio::create_subprocess_exec(options, "/bin/true");
    const int status = co_await process->wait();
    bench::require(status == 0, "plait's exit status");
  }
}

double plait_subprocess(int programs) {
  aio::EventLoop loop;
  return bench::nanoseconds_of([&] { loop.run_until_complete(spawn_all(programs)); }) / programs;
}

double bare_posix_spawn(int programs) {
  char name[] = "/bin/true";
  char* const arguments[] = {name, nullptr};
  return bench::nanoseconds_of([&] {
           for (int i = 0; i < programs; ++i) {
             pid_t child = 0;
             const int failed = ::posix_spawn(&child, name, nullptr, nullptr, arguments, environ);
             int status = -1;
             bench::require(failed == 0 && ::waitpid(child, &status, 0) == child && status == 0,
                            "posix_spawn's exit status");
           }
         }) /
         programs;
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Options options = bench::parse_options(argc, argv);
  const int programs = options.quick ? 20 : 1'000;
  bench::Report report("spawn: /bin/true, one after the other", "ns", options);
  constexpr double aim = 1.2;
  report.measure("a program",
                 {{"plait", [=] { return plait_subprocess(programs); }},
                  {"posix_spawn, waitpid", [=] { return bare_posix_spawn(programs); }, aim}});
}
