// How a job says whether, and how, its call can travel to another process.
#pragma once

#include <cstdint>
#include <span>

namespace plait::detail {

class ByteSource;
class FutureState;
class Payload;
struct CodeAddress;

/// A worker's answer to one call. Runs in: the worker.
class Reply {
 public:
  /// The arguments were read; what is thrown from now on is the call's own error.
  virtual void begin_call() = 0;
  /// The call has returned; what is thrown from now on is an error of the encoding.
  virtual void begin_result() = 0;
  /// Sends the result.
  virtual void send(const Payload& payload) = 0;

 protected:
  ~Reply() = default;
};

/// What a process pool asks of a call that can travel.
struct RemoteCall {
  /// Where the worker's half of it begins: a void(FrameReader&, Reply&).
  CodeAddress (*address)();
  /// Writes callable and arguments, which lie in a std::tuple.
  void (*encode)(const void* bound, Payload& payload);
  /// Makes the value of the call's state from what the worker sent.
  void (*decode)(FutureState& state, ByteSource& source);
  /// Where the value is nothing but bytes: makes it, empty, for so many elements. Null: it is not.
  /// See write_value(). @throws SerializationError where they do not make `bytes`
  void (*make_room)(FutureState& state, std::uint64_t elements, std::uint64_t bytes) = nullptr;
  /// Lets it grow to that number, and gives the next bytes to be received.
  std::span<char> (*next_room)(FutureState& state, std::uint64_t elements) = nullptr;
  /// Takes that back.
  void (*drop_room)(FutureState& state) = nullptr;
};

/// How the call fn(args...) of a job whose result is T travels; null: not at all. Specialised where
/// the callables are declared that can.
template <class T, class Fn, class... Args>
inline constexpr const RemoteCall* remote_call_of = nullptr;

/// A job's call, for a process pool.
struct RemoteJob {
  const RemoteCall* call = nullptr;  ///< null: it cannot travel
  const void* bound = nullptr;       ///< the std::tuple of callable and arguments
};

}  // namespace plait::detail
