// Where a test and a task in a worker process meet: a folder of its own, and gates in it.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

namespace plait::test {

// Removed with all that is in it. Initializers, which get no arguments, find it as well.
class WorkerFolder {
 public:
  WorkerFolder() {
    std::string name = std::filesystem::temp_directory_path() / "plait-test-XXXXXX";
    if (!::mkdtemp(name.data())) throw std::system_error(errno, std::generic_category(), "mkdtemp");
    path_ = name;
    ::setenv(variable, name.c_str(), 1);
  }
  ~WorkerFolder() {
    ::unsetenv(variable);
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  WorkerFolder(const WorkerFolder&) = delete;
  WorkerFolder& operator=(const WorkerFolder&) = delete;

  std::string operator/(const std::string& name) const { return path_ / name; }

  // The same path in a worker of the pool.
  static std::string in_worker(const std::string& name) {
    const char* const folder = std::getenv(variable);
    return (folder ? std::string(folder) : std::string("/nowhere")) + "/" + name;
  }

 private:
  static constexpr char variable[] = "PLAIT_TEST_FOLDER";
  std::filesystem::path path_;
};

inline bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }
inline void touch(const std::string& path) {
  ::close(::open(path.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600));
}

// Runs in: a task. Blocks until the test has opened the gate.
inline void pass_gate(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  std::array<char, 16> nothing{};
  while (::read(fd, nothing.data(), nothing.size()) > 0) {
  }
  ::close(fd);
}

// For one task at a time.
class WorkerGate {
 public:
  explicit WorkerGate(std::string path) : path_(std::move(path)) {
    if (::mkfifo(path_.c_str(), 0600) != 0)
      throw std::system_error(errno, std::generic_category(), "mkfifo");
  }
  ~WorkerGate() { open(); }
  WorkerGate(const WorkerGate&) = delete;
  WorkerGate& operator=(const WorkerGate&) = delete;

  const std::string& path() const { return path_; }
  // Until a task is at the gate.
  void wait_for_arrival() { fd_ = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC); }
  // Lets the one that has arrived go on.
  void open() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  std::string path_;
  int fd_ = -1;
};

// Whether the process has ended, be it that nobody has asked for its status yet.
inline bool is_gone(pid_t process) {
  const std::string path = "/proc/" + std::to_string(process) + "/stat";
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return true;
  std::array<char, 512> bytes{};
  const auto size = ::read(fd, bytes.data(), bytes.size());
  ::close(fd);
  if (size <= 0) return true;
  const std::string text(bytes.data(), static_cast<std::size_t>(size));
  const auto name_end = text.rfind(") ");
  return name_end == std::string::npos || text[name_end + 2] == 'Z' || text[name_end + 2] == 'X';
}

}  // namespace plait::test
