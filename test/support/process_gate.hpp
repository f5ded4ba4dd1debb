// A gate that jobs in other processes arrive at and wait for.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

#include "process_probe.hpp"

namespace plait::test {

// A file descriptor that is closed with the scope.
class Descriptor {
 public:
  Descriptor(const std::string& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC)) {
    if (fd_ < 0) throw std::system_error(errno, std::generic_category(), path);
  }
  ~Descriptor() { ::close(fd_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

// Two named pipes in a folder of their own: jobs write a letter to one of them when they arrive,
// and read a letter from the other one before they go on. Jobs are given folder(); when the gate is
// destroyed, those that wait at it go on.
class ProcessGate {
 public:
  ProcessGate()
      : folder_(make_folder()),
        arrivals_(folder_ + "/arrivals", O_RDWR),
        permits_(folder_ + "/permits", O_RDWR) {}
  ~ProcessGate() { std::filesystem::remove_all(folder_); }
  ProcessGate(const ProcessGate&) = delete;
  ProcessGate& operator=(const ProcessGate&) = delete;

  const std::string& folder() const { return folder_; }

  // The letters of who has arrived, in order, once there are so many; fewer if it takes too long.
  std::string wait_for_arrivals(std::size_t count) {
    const auto give_up = std::chrono::steady_clock::now() + case_deadline() / 3;
    while (arrived().size() < count) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
          give_up - std::chrono::steady_clock::now());
      pollfd watched{arrivals_.get(), POLLIN, 0};
      if (left.count() <= 0 || ::poll(&watched, 1, static_cast<int>(left.count())) == 0) break;
    }
    return arrived_;
  }
  // The letters of who has arrived so far.
  const std::string& arrived() {
    pollfd watched{arrivals_.get(), POLLIN, 0};
    char letters[256];
    while (::poll(&watched, 1, 0) > 0) {
      const auto count = ::read(arrivals_.get(), letters, sizeof letters);
      if (count <= 0) break;
      arrived_.append(letters, static_cast<std::size_t>(count));
    }
    return arrived_;
  }
  void let_through(std::size_t count) {
    const std::string letters(count, '.');
    if (::write(permits_.get(), letters.data(), count) != static_cast<ssize_t>(count)) {
      throw std::system_error(errno, std::generic_category(), "letting jobs through a gate");
    }
  }

 private:
  static std::string make_folder() {
    std::string folder = (std::filesystem::temp_directory_path() / "plait-gate-XXXXXX").string();
    if (!::mkdtemp(folder.data())) {
      throw std::system_error(errno, std::generic_category(), "mkdtemp()");
    }
    for (const char* name : {"/arrivals", "/permits"}) ::mkfifo((folder + name).c_str(), 0600);
    return folder;
  }

  std::string folder_;
  Descriptor arrivals_;
  Descriptor permits_;
  std::string arrived_;
};

// -- for jobs

inline void arrive_at(const std::string& gate, char letter) {
  const Descriptor arrivals(gate + "/arrivals", O_WRONLY);
  (void)!::write(arrivals.get(), &letter, 1);
}

inline void wait_at(const std::string& gate) {
  const Descriptor permits(gate + "/permits", O_RDONLY);
  char letter = 0;
  while (::read(permits.get(), &letter, 1) < 0 && errno == EINTR) {
  }
}

// Says so when it is here, and goes on when it is let through.
inline int pass_gate(const std::string& gate, int number) {
  arrive_at(gate, static_cast<char>('a' + number));
  wait_at(gate);
  return number;
}

inline int worker_pid() { return ::getpid(); }

// Whether a child of this process has ended and was reaped.
inline bool is_gone(int pid) { return ::kill(pid, 0) != 0 && errno == ESRCH; }

}  // namespace plait::test
