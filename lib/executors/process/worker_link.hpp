// The pool's end of one worker: its process, what it has been given, and the bytes in between.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "executors/process/call_claims.hpp"
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

  /// Starts a process; `arena` is the descriptor of the pool's. @throws std::system_error
  WorkerLink(const WorkerSettings& settings, int arena);
  /// What it still has fails.
  ~WorkerLink();
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
  /// Whether it has begun its first task; what was only received can be given to another one.
  bool has_begun() const noexcept { return claims_.begun() != answered_; }
  /// Those that it has not begun, in their order; none while some of them are still being sent.
  std::vector<TaskPtr> take_back();
  /// The first task, which has ended or has to be given up.
  TaskPtr take_first();
  /// Why there was no room for its large result, or null. Once.
  std::exception_ptr take_bulk_error() noexcept { return std::exchange(bulk_error_, nullptr); }
  /// Counts results that came at once, for usual_time().
  void results_came(std::size_t count);

  // -- bytes
  /// Sends as much as there is room for. Errors show as the end of what it says.
  void flush() noexcept;
  bool has_unsent() const noexcept { return !unsent_.empty(); }
  enum class Received { nothing, something, end };
  /// Receives what is there, and calls handle(kind, content) for each whole frame.
  Received receive(const std::function<void(FrameKind, std::string_view)>& handle);

  // -- its death
  void kill(int signal) noexcept { signal_group(process_, signal); }
  bool reap(ProcessEnd& end) { return detail::reap(process_, end); }
  /// When what was asked to end is killed; nullopt: it was not asked.
  std::optional<Clock::time_point> kill_at;
  bool killed_for_timeout = false;
  const FutureState* killed_for = nullptr;  // the task that was to end; null: it was not killed
  bool hung_up = false;                     // the stream has ended
  bool ended = false;                       // the pidfd says so
  bool maybe_dead() const noexcept { return ended || hung_up; }

 private:
  // Bytes of its own, or of a task, of which some were sent.
  struct Piece {
    std::string_view rest() const {
      return (owned.empty() ? borrowed : std::string_view(owned)).substr(sent);
    }
    std::string owned;
    std::string_view borrowed;
    std::size_t sent = 0;
  };

  void queue(FrameKind kind, const Payload& content);
  std::string& own_bytes();
  void drop_sent(std::size_t size);
  std::size_t pop_frames(const std::function<void(FrameKind, std::string_view)>& handle);
  bool is_bulk(const FrameHeader& header) const;
  void begin_bulk(const FrameHeader& header);
  std::span<char> bulk_room();
  void skip_frame();
  std::span<char> receive_room();
  void took(std::size_t received);
  void make_room();

  CallClaims claims_;
  WorkerProcess process_;
  Phase phase_ = Phase::starting;
  std::deque<TaskPtr> tasks_;
  std::size_t given_ = 0;
  std::uint32_t answered_ = 0;
  Clock::time_point since_ = Clock::now();
  Duration usual_time_ = std::chrono::seconds(1);
  std::deque<Piece> unsent_;
  // Received and not handled yet: [begin_, end_). Not a std::string, which would be cleared first.
  std::unique_ptr<char[]> buffer_;
  std::size_t capacity_ = 0, begin_ = 0, end_ = 0;
  // The first task's result while it is received into its place.
  struct Bulk {
    std::uint64_t elements;
    std::size_t left;
    std::span<char> room{};  // where the next bytes belong
    bool fits = false;       // else what comes is thrown away
  };
  std::optional<Bulk> bulk_;
  std::exception_ptr bulk_error_;
};

}  // namespace plait::detail
