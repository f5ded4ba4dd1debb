// Starting subprocesses, and talking with them.
#include <plait/io/subprocess.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <tuple>
#include <utility>

#include <plait/loop/detail/loop_core.hpp>
#include <plait/loop/gather.hpp>

#include "executors/process/posix_spawn.hpp"
#include "executors/process/private_fd.hpp"
#include "io/child_process.hpp"
#include "io/owned_fd.hpp"
#include "io/pipe_streams.hpp"

namespace plait::detail {
namespace {

struct Pipe {
  PrivateFd read, write;
};

// Both ends lie above the standard streams', so that these do not overwrite them.
Pipe make_pipe() {
  std::array<int, 2> fds{};
  if (::pipe2(fds.data(), O_CLOEXEC) != 0) {
    throw std::system_error(errno, std::generic_category(), "pipe2()");
  }
  OwnedFd second(fds[1]);  // both are closed whatever happens
  const PrivateFd low_read(fds[0]);
  const PrivateFd low_write(second.release());
  Pipe pipe;
  pipe.read = PrivateFd::copy_of(fds[0]);
  pipe.write = PrivateFd::copy_of(fds[1]);
  return pipe;
}

// The standard streams of a child, until it has them.
class StandardStreams {
 public:
  explicit StandardStreams(const aio::SubprocessOptions& options) : options_(options) {
    if (options.in == aio::Stdio::to_stdout || options.out == aio::Stdio::to_stdout) {
      throw std::invalid_argument("Stdio::to_stdout is for SubprocessOptions::err only");
    }
    for (std::size_t fd = 0; fd < 3; ++fd) {
      if (kind(fd) == aio::Stdio::pipe) pipes_[fd] = make_pipe();
    }
  }

  void give_to(PosixSpawn& spawn) const {
    for (std::size_t fd = 0; fd < 3; ++fd) {
      const int number = static_cast<int>(fd);
      switch (kind(fd)) {
        case aio::Stdio::inherit:
          break;
        case aio::Stdio::pipe:
          spawn.copy(fd == 0 ? pipes_[fd].read.get() : pipes_[fd].write.get(), number);
          break;
        case aio::Stdio::devnull:
          spawn.open(number, "/dev/null", O_RDWR);
          break;
        case aio::Stdio::to_stdout:
          spawn.copy(STDOUT_FILENO, number);
          break;
      }
    }
  }
  /// This process's end; nullopt: there is none.
  std::optional<OwnedFd> take(std::size_t fd) {
    PrivateFd& mine = fd == 0 ? pipes_[fd].write : pipes_[fd].read;
    if (!mine) return {};
    OwnedFd copy(::fcntl(mine.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
    if (copy.get() >= 0) return copy;
    throw std::system_error(errno, std::generic_category(), "fcntl(F_DUPFD_CLOEXEC)");
  }

 private:
  aio::Stdio kind(std::size_t fd) const {
    return fd == 0 ? options_.in : fd == 1 ? options_.out : options_.err;
  }

  const aio::SubprocessOptions& options_;
  std::array<Pipe, 3> pipes_;
};

std::vector<std::string> environment_of(const aio::SubprocessOptions& options) {
  std::vector<std::string> variables;
  if (options.env) {
    for (const auto& [name, value] : *options.env) variables.push_back(name + "=" + value);
  } else {
    for (char** variable = environ; *variable; ++variable) variables.emplace_back(*variable);
  }
  return variables;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// As execvpe() of Python's: where the child has a PATH of its own, that one is searched.
std::string find_program(const std::string& name, const aio::SubprocessOptions& options) {
  if (!options.env || name.find('/') != std::string::npos) return name;
  const auto path = options.env->find("PATH");
  if (path == options.env->end()) return name;
  std::istringstream folders(path->second);
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::string candidate = (folder.empty() ? "." : folder) + "/" + name;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return "/nonexistent/" + name;
}

// What would be cut or misread on its way.
void check(const std::vector<std::string>& argv, const aio::SubprocessOptions& options) {
  if (argv.empty() || argv.front().empty()) {
    throw std::invalid_argument("create_subprocess_exec(): no program was named");
  }
  bool bad = options.cwd && options.cwd->native().find('\0') != std::string::npos;
  for (const std::string& argument : argv) bad |= argument.find('\0') != std::string::npos;
  if (options.env) {
    for (const auto& [name, value] : *options.env) {
      bad |= (name + value).find('\0') != std::string::npos;
      if (name.find('=') == std::string::npos && !name.empty()) continue;
      throw std::invalid_argument("SubprocessOptions::env: no variable can be called \"" + name +
                                  "\"");
    }
  }
  if (bad) throw std::invalid_argument("create_subprocess_exec(): embedded null byte");
}

// posix_spawn() does not say which of its steps has failed; here the user is told what to look at.
[[noreturn]] void explain(const std::system_error& failure, const std::vector<std::string>& argv,
                          const aio::SubprocessOptions& options) {
  std::error_code unknown;
  const bool no_folder = options.cwd && !std::filesystem::is_directory(*options.cwd, unknown);
  throw std::system_error(failure.code(), no_folder ? options.cwd->string() : argv.front());
}

std::shared_ptr<ChildProcess> start(LoopCore& core, std::vector<std::string> argv,
                                    const aio::SubprocessOptions& options) {
  check(argv, options);
  const std::string program = find_program(argv.front(), options);
  StandardStreams streams(options);
  auto variables = environment_of(options);
  PosixSpawn spawn;
  spawn.reset_signals();
  streams.give_to(spawn);
  spawn.close_from(3);
  if (options.cwd) spawn.change_directory(options.cwd->c_str());
  if (options.start_new_session) spawn.make_session();
  const auto arguments = pointers(argv);
  const auto environment = pointers(variables);
  auto child = std::make_shared<ChildProcess>();  // before there is a process to be lost
  pid_t pid = 0;
  try {
    pid = spawn.spawn(program.c_str(), arguments.data(), environment.data());
  } catch (const std::system_error& failure) {
    explain(failure, argv, options);
  }
  child->take(core, pid);
  if (auto fd = streams.take(0)) child->in = open_write_pipe(core, std::move(*fd));
  if (auto fd = streams.take(1)) child->out = open_read_pipe(core, std::move(*fd), options.limit);
  if (auto fd = streams.take(2)) child->err = open_read_pipe(core, std::move(*fd), options.limit);
  child->watch();
  return child;
}

// Who stops reading has read enough.
Coroutine<> send_all(std::shared_ptr<aio::StreamWriter> to, std::string input) {
  if (!to) co_return;
  try {
    if (!input.empty()) to->write(input);
    co_await to->drain();
  } catch (const std::system_error& error) {
    if (error.code() != std::errc::broken_pipe && error.code() != std::errc::connection_reset)
      throw;
  }
  to->close();
}

Coroutine<std::string> read_all(std::shared_ptr<aio::StreamReader> from) {
  if (!from) co_return std::string();
  co_return co_await from->read();
}

}  // namespace
}  // namespace plait::detail

namespace plait::aio {

Process::Process(std::shared_ptr<plait::detail::ChildProcess> child) noexcept
    : child_(std::move(child)) {}
Process::~Process() { child_->signal(SIGKILL); }

int Process::pid() const noexcept { return child_->pid(); }
std::optional<int> Process::returncode() const noexcept { return child_->returncode(); }
std::shared_ptr<StreamWriter> Process::in() const noexcept { return child_->in; }
std::shared_ptr<StreamReader> Process::out() const noexcept { return child_->out; }
std::shared_ptr<StreamReader> Process::err() const noexcept { return child_->err; }

Coroutine<int> Process::wait() { return plait::detail::ChildProcess::wait(child_); }

namespace {

// Keeps the child, as the handle may be dropped before its first step.
Coroutine<std::pair<std::string, std::string>> communicate_with(
    std::shared_ptr<plait::detail::ChildProcess> child, std::string input) {
  auto all = gather(plait::detail::send_all(child->in, std::move(input)),
                    plait::detail::read_all(child->out), plait::detail::read_all(child->err));
  auto [sent, out, err] = co_await std::move(all);
  co_await plait::detail::ChildProcess::wait(child);
  co_return std::pair(std::move(out), std::move(err));
}

}  // namespace

Coroutine<std::pair<std::string, std::string>> Process::communicate(std::string input) {
  return communicate_with(child_, std::move(input));
}

void Process::send_signal(int sig) { child_->send_signal(sig); }
void Process::terminate() { send_signal(SIGTERM); }
void Process::kill() { send_signal(SIGKILL); }

Coroutine<std::shared_ptr<Process>> create_subprocess_exec(std::vector<std::string> argv,
                                                           SubprocessOptions options) {
  auto& core = plait::detail::require_running_core();
  co_return std::make_shared<Process>(plait::detail::start(core, std::move(argv), options));
}

Coroutine<std::shared_ptr<Process>> create_subprocess_shell(std::string command,
                                                            SubprocessOptions options) {
  std::vector<std::string> argv{"/bin/sh", "-c", std::move(command)};
  return create_subprocess_exec(std::move(argv), std::move(options));
}

}  // namespace plait::aio
