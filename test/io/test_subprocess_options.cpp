// Subprocesses: what they are given, and why they cannot be started.
#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <plait/aio.hpp>
#include <plait/io/subprocess.hpp>
#include <stdexcept>
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
using aio::Stdio;
using aio::SubprocessOptions;

TEST_SUITE_BEGIN("io/subprocess");

Coroutine<std::string> output_of(std::string command, const SubprocessOptions& options) {
  const auto process = co_await create_subprocess_shell(std::move(command), options);
  auto both = co_await process->communicate();
  co_return both.first;
}

TEST_CASE_FIXTURE(NothingLeft, "SubprocessOptions: cwd and start_new_session take effect") {
  on_loop([]() -> Coroutine<> {
    SubprocessOptions options = piped();
    options.cwd = "/usr";
    CHECK(co_await output_of("pwd -P", options) == "/usr\n");
    CHECK(std::filesystem::current_path() != "/usr");
    const std::string session = "cut -d' ' -f6 /proc/self/stat";
    CHECK(co_await output_of(session, options) == std::to_string(::getsid(0)) + "\n");
    options.start_new_session = true;
    CHECK(co_await output_of("test $(" + session + ") = $$ && echo own", options) == "own\n");
  });
}

TEST_CASE_FIXTURE(NothingLeft, "SubprocessOptions: PATH within env is where programs are found") {
  const SocketFolder folder;
  std::filesystem::create_symlink("/bin/echo", folder.path("plait_echo"));
  on_loop([&]() -> Coroutine<> {
    SubprocessOptions options = piped();
    options.env.emplace();
    options.env->emplace("PATH", folder.path("").string());
    ProcessPtr process;
    CHECK_NOTHROW(process = co_await create_subprocess_exec(options, "plait_echo", "found"));
    if (process) CHECK((co_await process->communicate()).first == "found\n");
  });
}

Coroutine<std::error_code> error_of_starting(std::string program,
                                             std::optional<std::filesystem::path> cwd) {
  SubprocessOptions options = piped();
  options.cwd = std::move(cwd);
  auto starting = create_subprocess_exec(options, std::move(program));
  co_return co_await error_of(std::move(starting));
}

TEST_CASE_FIXTURE(NothingLeft, "create_subprocess_exec: says by its code what was wrong") {
  on_loop([]() -> Coroutine<> {
    using std::errc;
    CHECK(co_await error_of_starting("/no/such", {}) == errc::no_such_file_or_directory);
    CHECK(co_await error_of_starting("plait_none", {}) == errc::no_such_file_or_directory);
    CHECK(co_await error_of_starting("cat", "/no/such") == errc::no_such_file_or_directory);
    CHECK(co_await error_of_starting("cat", "/etc/passwd") == errc::not_a_directory);
    CHECK(co_await error_of_starting("/usr", {}) == errc::permission_denied);
    CHECK(co_await error_of_starting("/etc/passwd", {}) == errc::permission_denied);
    CHECK_FALSE(has_children());
  });
}

Coroutine<bool> is_refused(Args argv, SubprocessOptions options) {
  auto starting = create_subprocess_exec(std::move(argv), std::move(options));
  co_return co_await throws<std::invalid_argument>(std::move(starting));
}

TEST_CASE_FIXTURE(NothingLeft, "create_subprocess_exec: refuses what no process can be given") {
  on_loop([]() -> Coroutine<> {
    SubprocessOptions plain;
    CHECK(co_await is_refused(Args(), plain));
    CHECK(co_await is_refused(Args(1), plain));
    const Args with_nul(2, std::string("true\0false", 10));
    CHECK(co_await is_refused(with_nul, plain));
    SubprocessOptions out_to_out;
    out_to_out.out = Stdio::to_stdout;
    CHECK(co_await is_refused(Args(1, "true"), out_to_out));
    SubprocessOptions odd_name;
    odd_name.env.emplace();
    odd_name.env->emplace("A=B", "C");
    CHECK(co_await is_refused(Args(1, "true"), odd_name));
  });
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
