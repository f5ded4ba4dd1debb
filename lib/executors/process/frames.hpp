// What the pool and its workers say to each other, over one socket a worker.
#pragma once

#include <cstddef>
#include <cstdint>

namespace plait::detail {

//   pool                       worker
//     START(settings)  ───────▶  applies them, runs the initializer
//               ◀───────  HELLO, or ERROR: then it ends
//     CALL(address, arguments) ▶  runs them one after the other
//               ◀───────  RESULT(value) or ERROR(exception), in the same order
//     end of the stream ──────▶  ends

enum class FrameKind : std::uint32_t {
  start = 1,
  hello,
  call,
  result,
  error,
  bulk  ///< never sent: a result that was received into its place
};

/// Comes before `size` bytes of content. Both ends are the same program on the same machine.
struct FrameHeader {
  FrameKind kind;
  std::uint32_t epoch = 0;  // of a CALL: see CallClaims
  std::uint64_t size;
};

/// The content of START.
struct WorkerSettings {
  std::uint64_t initializer_module = 0;  // with offset: a CodeAddress; 0: none
  std::uint64_t initializer_offset = 0;
  std::uint64_t memory_limit = 0;  // 0: none
  std::uint64_t arena = 0;         // the id of the SharedArena
};

/// Where a worker finds its ends.
inline constexpr int worker_socket = 3;
inline constexpr int worker_lifeline = 4;
inline constexpr int worker_claims = 5;
inline constexpr int worker_arena = 6;
/// The variable that makes a process a worker; its value is how deep it is nested.
inline constexpr char worker_variable[] = "PLAIT_WORKER";
/// A worker may have pools, too, down to this depth.
inline constexpr int max_depth = 10;

/// How much is received at a time where frames are small.
inline constexpr std::size_t receive_size = 64UL * 1024;

}  // namespace plait::detail
