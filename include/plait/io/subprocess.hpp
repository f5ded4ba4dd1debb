// Subprocesses: other programs, run and waited for by the loop.
#pragma once

#include <concepts>
#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <plait/core/coroutine.hpp>
#include <plait/io/stream_reader.hpp>
#include <plait/io/stream_writer.hpp>

namespace plait::detail {
class ChildProcess;
}

namespace plait::aio {

/// What a subprocess has for one of its standard streams. `to_stdout`, of `err` only: what `out`
/// is.
///
/// **Python:** None, subprocess.PIPE, DEVNULL, STDOUT.
enum class Stdio { inherit, pipe, devnull, to_stdout };

/// How a subprocess is started.
struct SubprocessOptions {
  /// Its standard input.
  Stdio in = Stdio::inherit;
  /// Its standard output.
  Stdio out = Stdio::inherit;
  /// Its standard error.
  Stdio err = Stdio::inherit;
  /// Where it works; nullopt: where this process does.
  std::optional<std::filesystem::path> cwd{};
  /// All of its environment variables; nullopt: those of this process.
  std::optional<std::map<std::string, std::string>> env{};
  /// Of its readers; see StreamReader.
  std::size_t limit = 64UL * 1024;
  /// It gets a session of its own, so that Ctrl-C and the terminal's end do not reach it.
  bool start_new_session = false;
};

/// A running program. Dropping the last handle of one that runs kills and reaps it.
///
/// Its end is heard of by a pidfd: no SIGCHLD handler, no thread, and no other child is touched.
/// **Python:** asyncio.subprocess.Process, of which a dropped one runs on. **Threads:** the loop's.
class Process {
 public:
  /// Made by create_subprocess_exec() and create_subprocess_shell().
  explicit Process(std::shared_ptr<plait::detail::ChildProcess> child) noexcept;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process();

  /// Its number.
  int pid() const noexcept;
  /// How it has ended: its exit status, -N if signal N has ended it, 255 if somebody else has
  /// reaped it. nullopt: it runs.
  std::optional<int> returncode() const noexcept;
  /// What it reads; null: not a pipe.
  std::shared_ptr<StreamWriter> in() const noexcept;
  /// What it writes; null: not a pipe.
  std::shared_ptr<StreamReader> out() const noexcept;
  /// As above, its errors.
  std::shared_ptr<StreamReader> err() const noexcept;

  /// Waits until it has ended and gives returncode(). With pipes that nobody reads it may never
  /// end: see communicate(). **Cancellation:** leaves it running.
  Coroutine<int> wait();
  /// Sends `input` and its end, reads all of out() and err() at the same time, and waits for its
  /// end. That it stops reading is no error.
  Coroutine<std::pair<std::string, std::string>> communicate(std::string input = {});

  /// @throws std::system_error, ESRCH, if it has ended
  void send_signal(int sig);
  /// SIGTERM. @throws as send_signal()
  void terminate();
  /// SIGKILL. @throws as send_signal()
  void kill();

 private:
  std::shared_ptr<plait::detail::ChildProcess> child_;
};

/// Starts a program, which is searched for in its PATH if its name has no slash.
///
/// **Python:** asyncio.create_subprocess_exec(). **Threads:** the loop's.
/// @throws std::system_error if it cannot be started; std::invalid_argument for an empty argv, and
/// for what no process can be given
Coroutine<std::shared_ptr<Process>> create_subprocess_exec(
    std::vector<std::string> argv, SubprocessOptions options = SubprocessOptions());
/// As above, without a braced list: `co_await create_subprocess_exec(options, "ls", "-l")`.
template <std::convertible_to<std::string>... A>
Coroutine<std::shared_ptr<Process>> create_subprocess_exec(const SubprocessOptions& options,
                                                           std::string program, A... args) {
  std::vector<std::string> argv;
  argv.reserve(1 + sizeof...(args));
  argv.push_back(std::move(program));
  (argv.emplace_back(std::move(args)), ...);
  return create_subprocess_exec(std::move(argv), options);
}
/// As above, what `/bin/sh -c` runs. **Python:** asyncio.create_subprocess_shell().
Coroutine<std::shared_ptr<Process>> create_subprocess_shell(
    std::string command, SubprocessOptions options = SubprocessOptions());

}  // namespace plait::aio
