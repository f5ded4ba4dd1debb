// What an Asio operation that a fiber awaits consists of, but for its result and its initiation.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <utility>

#include <plait/core/detail/frame_memory.hpp>
#include <plait/core/detail/scheduler.hpp>

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/system/error_code.hpp>

namespace plait::detail {

class Fiber;

/// Who holds an operation, and how its end finds the fiber.
///
/// Three may hold it; the last one to let go destroys it:
/// - *owner*: the Coroutine, or the frame that awaits it. Lets go by `delete`.
/// - *handler*: Asio has the completion handler. Lets go by calling or destroying it, in a thread
///   of the I/O object's context.
/// - *emission*: a request to end is on its way to such a thread. Lets go there.
///
/// Two marks beside them: *starting* while the initiation runs, whose handler leaves it to
/// suspend() to wake the fiber; *detached* once nobody wants to be woken any more.
class AsioControl {
 public:
  AsioControl(const AsioControl&) = delete;
  AsioControl& operator=(const AsioControl&) = delete;

  boost::asio::cancellation_slot slot() noexcept { return signal_.slot(); }
  /// Runs in: the thread that has called the handler, or destroyed it. What it brought is stored.
  void handler_gone() noexcept;
  /// As above, for a handler that was destroyed without having been called.
  void handler_dropped() noexcept {
    dropped_ = true;
    handler_gone();
  }
  /// Runs in: a thread that may touch the I/O object. Tells the operation to end.
  void emit() noexcept;
  void release_emission() noexcept { release(emission); }

 protected:
  enum Part : std::uint8_t { owner = 1, handler = 2, emission = 4, starting = 8, detached = 16 };

  AsioControl() = default;
  virtual ~AsioControl() = default;
  /// Whose fiber this is.
  virtual Fiber& waiting_fiber() const noexcept = 0;
  virtual void destroy() noexcept = 0;

  bool has(Part part) const noexcept { return word_.load() & part; }
  /// True: it was there already.
  bool add(Part part) noexcept { return word_.fetch_or(part) & part; }
  void release(Part part) noexcept;
  /// Before the initiation runs.
  void begin() noexcept { word_ = owner | handler | starting; }
  /// After it.
  void begun() noexcept;
  /// The initiation has thrown: what becomes of the handler does not count.
  void give_up_handler() noexcept { add(detached); }
  /// True: the fiber will not be woken.
  bool detach() noexcept;

  // Written in the handler's thread before it lets go; read in the fiber's after that.
  bool dropped_ = false;

 private:
  void wake() noexcept;

  // Parts. Each is removed by its holder, whose writes the one that destroys the operation, or
  // the fiber, sees: every change is a read-modify-write. In begin() nobody else has it yet.
  std::atomic<std::uint8_t> word_{owner};
  boost::asio::cancellation_signal signal_;
};

/// Carries a request to end to a thread that may touch the I/O object.
class AsioEmission {
 public:
  explicit AsioEmission(AsioControl& operation) noexcept : operation_(&operation) {}
  AsioEmission(AsioEmission&& other) noexcept
      : operation_(std::exchange(other.operation_, nullptr)) {}
  AsioEmission& operator=(AsioEmission&&) = delete;
  ~AsioEmission() {
    if (operation_) operation_->release_emission();
  }
  void operator()() noexcept { operation_->emit(); }

 private:
  AsioControl* operation_;  // null: moved from
};

/// Memory for what Asio keeps about an operation.
template <class T>
struct AsioAllocator {
  using value_type = T;  // NOLINT(readability-identifier-naming): the standard's name

  AsioAllocator() = default;
  template <class U>
  AsioAllocator(const AsioAllocator<U>&) noexcept {}  // NOLINT(google-explicit-constructor)
  T* allocate(std::size_t count) { return static_cast<T*>(allocate_frame(bytes(count))); }
  void deallocate(T* memory, std::size_t count) noexcept { free_frame(memory, bytes(count)); }
  friend bool operator==(AsioAllocator, AsioAllocator) noexcept { return true; }

 private:
  static std::size_t bytes(std::size_t count) noexcept {
    static_assert(alignof(T) <= 16);
    return (count * sizeof(T) + 15) / 16 * 16;
  }
};

/// Runs in: the fiber's thread. What it awaited has ended in spite of a request to cancel, which
/// the next await that waits is to meet.
void renew_request(Fiber& fiber) noexcept;

/// Runs in: the thread of `scheduler`. Whether its io_context is `context`.
bool runs_context(const Scheduler& scheduler,
                  const boost::asio::execution_context& context) noexcept;

/// Whether `error` is what operations end with that were told to end.
bool is_abort(const boost::system::error_code& error) noexcept;
bool is_abort(const std::exception_ptr& error) noexcept;

/// The error of an operation whose handler was destroyed.
std::exception_ptr make_dropped_error();

}  // namespace plait::detail
