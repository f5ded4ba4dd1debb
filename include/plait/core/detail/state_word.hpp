// The one atomic word of a future: its phase, its flags and the number of its references.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>

namespace plait::detail {

//                      start()               store + finish()
//        pending ─────────────────▶ running ─────────────────▶ finished
//         │   │                       │  ▲
//         │   │ settle()     settle() │  │ unsettle(): the value's constructor threw
//         │   └────────▶ settling ◀───┘──┘
//         │                 └──────────────────────────────────▶ finished ◀── pending: a task,
//         │                                                         which its loop alone ends
//         └───────── cancel() ───────▶ cancelled ◀── running: the work threw CancelledError
//
// Every arrow is one compare-and-swap here; whoever wins it owns what comes next.

/// Where a future is on its way to a result.
enum class Phase : std::uint8_t {
  pending,    ///< anyone may start(), cancel() or settle() it
  running,    ///< one thread runs the job (or holds the promise); only that thread ends it
  settling,   ///< one thread writes a promise's value; nobody else may end it
  cancelled,  ///< final: no value; error() holds a CancelledError where the work threw one
  finished    ///< final: a value, or an error
};

/// True for the phases that never change again.
constexpr bool is_final(Phase phase) { return phase >= Phase::cancelled; }

/// The picture above as a table; the tests walk it, and every transition asserts it.
constexpr bool transition_allowed(Phase from, Phase to) {
  switch (from) {
    case Phase::pending:
      return to != Phase::pending;
    case Phase::running:
      return to == Phase::settling || to == Phase::cancelled || to == Phase::finished;
    case Phase::settling:
      return to == Phase::pending || to == Phase::running || to == Phase::finished;
    default:
      return false;
  }
}

/// Facts about a state that are independent of its phase.
enum Flag : std::uint32_t {
  has_waiters = 1U << 8,  ///< the list of waiters is not empty; set and cleared under `list_locked`
  has_sleepers = 1U << 9,     ///< a thread sleeps, or is about to, on this word: end with a wake-up
  stop_requested = 1U << 10,  ///< request_stop() reached the running work
  retrieved = 1U << 11,       ///< somebody asked for the error, so it is not lost
  has_callbacks = 1U << 14,   ///< a done-callback was added, so user code may run at the end
  counted = 1U << 13,         ///< its owner counts it among the unfinished jobs
  of_loop = 1U << 15,         ///< belongs to a loop: callbacks run there, its thread may not block
  watched = 1U << 16,         ///< a worker that waits wants to know when what it needs changes
  is_strand = 1U << 17,       ///< a part of a coroutine that has started: cannot be cancelled
  from_any_thread = 1U << 18,  ///< a task that came to its loop from a thread that need not be its
  list_locked = 1U << 12       ///< a thread changes the list of waiters; the phase must not change
};

/// One reading of a StateWord.
class StateSnapshot {
 public:
  /// A reading of the bits that a StateWord holds.
  explicit constexpr StateSnapshot(std::uint64_t bits) : bits_(bits) {}

  constexpr std::uint64_t bits() const { return bits_; }
  constexpr Phase phase() const { return static_cast<Phase>(bits_ & 0xFF); }
  constexpr bool done() const { return is_final(phase()); }
  constexpr bool has(Flag flag) const { return (bits_ & flag) != 0; }
  constexpr std::uint32_t references() const { return static_cast<std::uint32_t>(bits_ >> 32); }

  constexpr StateSnapshot with(Phase phase) const {
    return StateSnapshot((bits_ & ~std::uint64_t{0xFF}) | static_cast<std::uint64_t>(phase));
  }
  constexpr StateSnapshot with(Flag flag) const { return StateSnapshot(bits_ | flag); }
  constexpr StateSnapshot without(Flag flag) const {
    return StateSnapshot(bits_ & ~std::uint64_t{flag});
  }
  constexpr StateSnapshot with_one_reference_less() const {
    return StateSnapshot(bits_ - one_reference);
  }

  /// What one reference adds to the word.
  static constexpr std::uint64_t one_reference = std::uint64_t{1} << 32;

 private:
  std::uint64_t bits_;
};

/// The atomic word: phase in byte 0, flags above it, references in the upper half.
class StateWord {
 public:
  /// A pending state that `references` handles share.
  explicit StateWord(std::uint32_t references, std::uint32_t flags = 0)
      : bits_(std::uint64_t{references} * StateSnapshot::one_reference | flags) {}

  /// A reading that happens after whatever the thread that wrote it did before.
  StateSnapshot load() const { return StateSnapshot(bits_.load()); }

  /// Replaces `seen` by `next`; on failure `seen` becomes the present reading.
  bool replace(StateSnapshot& seen, StateSnapshot next) {
    std::uint64_t expected = seen.bits();
    if (bits_.compare_exchange_weak(expected, next.bits())) return true;
    seen = StateSnapshot(expected);
    return false;
  }

  /// Sets a flag, whatever the phase.
  void set(Flag flag) { bits_.fetch_or(flag); }

  /// Takes a flag away, whatever the phase.
  void clear(Flag flag) { bits_.fetch_and(~std::uint64_t{flag}); }

  /// One more handle.
  void add_reference() { bits_.fetch_add(StateSnapshot::one_reference); }

  /// One handle less; true: it was the last, and the caller destroys the state.
  bool drop_reference() {
    // The only handle needs no read-modify-write: nobody is left who could race with it.
    if (load().references() == 1) return true;
    return StateSnapshot(bits_.fetch_sub(StateSnapshot::one_reference)).references() == 1;
  }

  /// The half that holds phase and flags, for the kernel to compare and sleep on.
  const std::uint32_t* futex_address() const {
    // SAFETY: the kernel reads these four bytes atomically, this program never through this
    // pointer; a lock-free 64-bit atomic is laid out as its value.
    static_assert(std::atomic<std::uint64_t>::is_always_lock_free &&
                  std::endian::native == std::endian::little);
    return reinterpret_cast<const std::uint32_t*>(&bits_);
  }

 private:
  // Written by every thread that holds a reference, always with the default order: x86 gives a
  // weaker read-modify-write no other instruction, so there is nothing to gain from one.
  std::atomic<std::uint64_t> bits_;
};

}  // namespace plait::detail
