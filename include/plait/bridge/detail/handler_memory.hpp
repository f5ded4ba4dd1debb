// Room for one handler that Asio keeps, so that posting it cannot fail for want of memory.
#pragma once

#include <atomic>
#include <cstddef>
#include <utility>

#include <plait/core/detail/frame_memory.hpp>

namespace plait::detail {

/// A block that is lent to one handler at a time; who finds it lent gets memory elsewhere.
class HandlerMemory {
 public:
  HandlerMemory() = default;
  HandlerMemory(const HandlerMemory&) = delete;
  HandlerMemory& operator=(const HandlerMemory&) = delete;

  void* take(std::size_t size) {
    if (size <= sizeof block_ && !lent_.exchange(true)) return block_;
    return allocate_frame((size + 15) / 16 * 16);
  }
  void give_back(void* memory, std::size_t size) noexcept {
    if (memory == block_) {
      lent_ = false;
    } else {
      free_frame(memory, (size + 15) / 16 * 16);
    }
  }

 private:
  alignas(16) std::byte block_[192];
  // Set by who takes the block, in any thread; cleared by who runs or drops the handler.
  std::atomic<bool> lent_{false};
};

/// The allocator of a handler that is to use a HandlerMemory.
template <class T>
class HandlerAllocator {
 public:
  using value_type = T;  // NOLINT(readability-identifier-naming): the standard's name

  explicit HandlerAllocator(HandlerMemory& memory) noexcept : memory_(&memory) {}
  template <class U>
  HandlerAllocator(
      const HandlerAllocator<U>& other) noexcept  // NOLINT(google-explicit-constructor)
      : memory_(other.memory_) {}

  T* allocate(std::size_t count) {
    static_assert(alignof(T) <= 16);
    return static_cast<T*>(memory_->take(count * sizeof(T)));
  }
  void deallocate(T* memory, std::size_t count) noexcept {
    memory_->give_back(memory, count * sizeof(T));
  }
  friend bool operator==(const HandlerAllocator& a, const HandlerAllocator& b) noexcept {
    return a.memory_ == b.memory_;
  }

 private:
  template <class>
  friend class HandlerAllocator;

  HandlerMemory* memory_;
};

/// fn, to be posted with that memory.
template <class F>
class WithMemory {
 public:
  using allocator_type = HandlerAllocator<void>;  // NOLINT(readability-identifier-naming): Asio's

  WithMemory(HandlerMemory& memory, F function) noexcept
      : memory_(&memory), function_(std::move(function)) {}
  allocator_type get_allocator() const noexcept { return allocator_type(*memory_); }
  void operator()() { std::move(function_)(); }

 private:
  HandlerMemory* memory_;
  F function_;
};

}  // namespace plait::detail
