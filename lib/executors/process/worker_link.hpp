// The pool's end of one worker: its process, what it has been given, and the bytes in between.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "executors/process/frames.hpp"
#include "executors/process/spawn.hpp"
#include "executors/process/task.hpp"

namespace plait::detail {

//               HELLO               retire()              reap()
//   starting ──────────▶ ready ───────────────▶ retiring ─────────▶ gone
//       └───────────────────┴── dies ──────────────────────────────▶ gone

/// One worker. The manager's thread alone uses it.
class WorkerLink {
 public:
  enum class Phase { starting, ready, retiring };

  /// Starts a process. @throws std::system_error
  explicit WorkerLink(const WorkerSettings& settings);
  WorkerLink(const WorkerLink&) = delete;
  WorkerLink& operator=(const WorkerLink&) = delete;

  const WorkerProcess& process() const noexcept { return process_; }
  Phase phase() const noexcept { return phase_; }
  void become_ready() noexcept;
  /// It gets no more calls, and ends after those that it has.
  void retire() noexcept;

  // -- its tasks, first come, first served: the first one runs
  const std::deque<TaskPtr>& tasks() const noexcept { return tasks_; }
  std::size_t given() const noexcept { return given_; }
  bool idle() const noexcept { return phase_ == Phase::ready && tasks_.empty(); }
  /// Since when it has had nothing to do, or has run its first task.
  Clock::time_point since() const noexcept { return since_; }
  /// How long its tasks take, lately.
  Duration usual_time() const noexcept { return usual_time_; }
  /// Queues the call; flush() sends it.
  void give(TaskPtr task);
  /// The first task, which has ended or has to be given up.
  TaskPtr take_first();
  /// Counts results that came at once, for usual_time().
  void results_came(std::size_t count);

  // -- bytes
  /// Sends as much as there is room for. Errors show as the end of what it says.
  void flush() noexcept;
  bool has_unsent() const noexcept { return !unsent_.empty(); }
  /// Receives what is there, and calls handle(kind, content) for each whole frame. False: the end
  /// of the stream.
  bool receive(const std::function<void(FrameKind, std::string_view)>& handle);

  // -- its death
  void kill(int signal) noexcept { signal_group(process_, signal); }
  bool reap(ProcessEnd& end) { return detail::reap(process_, end); }
  /// When what was asked to end is killed; nullopt: it was not asked.
  std::optional<Clock::time_point> kill_at;
  bool killed_for_timeout = false;
  bool hung_up = false;  // the stream has ended
  bool ended = false;    // the pidfd says so
  bool maybe_dead() const noexcept { return ended || hung_up; }

 private:
  struct Piece {
    std::string owned;       // what the view shows, or empty
    std::string_view bytes;  // not sent yet
  };

  void queue(FrameKind kind, const Payload& content);
  void queue(std::string bytes);
  void drop_sent(std::size_t size);
  std::size_t pop_frames(const std::function<void(FrameKind, std::string_view)>& handle);
  void make_room();

  WorkerProcess process_;
  Phase phase_ = Phase::starting;
  std::deque<TaskPtr> tasks_;
  std::size_t given_ = 0;
  Clock::time_point since_ = Clock::now();
  Duration usual_time_ = std::chrono::seconds(1);
  std::deque<Piece> unsent_;
  // Received and not handled yet: [begin_, end_). Not a std::string, which would be cleared first.
  std::unique_ptr<char[]> buffer_;
  std::size_t capacity_ = 0, begin_ = 0, end_ = 0;
};

}  // namespace plait::detail
