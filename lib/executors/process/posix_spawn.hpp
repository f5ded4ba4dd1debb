// posix_spawn() with what a new process is told before it begins.
#pragma once

#include <spawn.h>
#include <sys/types.h>

namespace plait::detail {

/// Starts processes without fork(), which would copy the page tables of a large program and the
/// locked locks of one with threads. Everything throws std::system_error.
class PosixSpawn {
 public:
  PosixSpawn();
  ~PosixSpawn();
  PosixSpawn(const PosixSpawn&) = delete;
  PosixSpawn& operator=(const PosixSpawn&) = delete;

  // -- what is done in the new process, in this order
  void open(int fd, const char* path, int flags);
  void copy(int from, int to);
  void close_from(int lowest);
  void change_directory(const char* path);

  // -- what it is given
  /// No inherited signal mask, and no signal ignored or handled.
  void reset_signals();
  /// A process group of its own.
  void make_group();
  /// A session of its own.
  void make_session();

  /// `path` is searched for in PATH if it has no slash.
  pid_t spawn(const char* path, char* const* arguments, char* const* environment);

 private:
  void add_flag(short flag);

  posix_spawnattr_t attributes_;
  posix_spawn_file_actions_t actions_;
};

/// A descriptor that becomes readable when the process has ended; -1 where the kernel refuses.
int open_pidfd(pid_t pid) noexcept;

}  // namespace plait::detail
