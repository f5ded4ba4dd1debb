// Memory for coroutine frames, tasks and handles: recycled by the thread that frees it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <new>

namespace plait::detail {

/// Free blocks of one thread, one list for every size. Used only by that thread.
///
/// A thread keeps as many blocks as it has taken, and a few; the rest goes to a depot that all
/// threads share, so that one may make what another frees. Under AddressSanitizer nothing is kept.
struct FrameCache {
  struct Block {
    Block* next;
  };
  static constexpr std::size_t unit = 8;       ///< sizes are rounded up to multiples of it
  static constexpr std::size_t classes = 129;  ///< blocks of up to 1 KiB are recycled

  std::array<Block*, classes> free;
  std::array<std::uint32_t, classes> room;  // how many more blocks of a size this thread keeps
};

/// The storage model saves a function call on every use; plait is linked, not loaded at run time.
[[gnu::tls_model("initial-exec")]] inline constinit thread_local FrameCache frame_cache{};

void* allocate_frame_slowly(std::size_t size);
void free_frame_slowly(void* frame, std::size_t size) noexcept;

/// `size` bytes, aligned for any type if `size` is a multiple of 16, else to 8 bytes.
inline void* allocate_frame(std::size_t size) {
  const std::size_t place = (size + FrameCache::unit - 1) / FrameCache::unit;
  if (place < FrameCache::classes) {
    if (FrameCache::Block* const block = frame_cache.free[place]) {
      frame_cache.free[place] = block->next;
      ++frame_cache.room[place];
      return block;
    }
  }
  return allocate_frame_slowly(size);
}

/// Gives back what allocate_frame() returned for the same `size`, in any thread.
inline void free_frame(void* frame, std::size_t size) noexcept {
  const std::size_t place = (size + FrameCache::unit - 1) / FrameCache::unit;
  if (place < FrameCache::classes && frame_cache.room[place] > 0) {
    --frame_cache.room[place];
    frame_cache.free[place] = ::new (frame) FrameCache::Block{frame_cache.free[place]};
    return;
  }
  free_frame_slowly(frame, size);
}

/// A base for classes whose objects come from this memory.
template <class Derived>
struct Recycled {
  static void* operator new(std::size_t size) {
    static_assert(alignof(Derived) <= 16, "over-aligned results: return a std::unique_ptr instead");
    return allocate_frame(alignof(Derived) > 8 ? (size + 15) / 16 * 16 : size);
  }
  static void operator delete(void* object, std::size_t size) noexcept {
    free_frame(object, alignof(Derived) > 8 ? (size + 15) / 16 * 16 : size);
  }
};

}  // namespace plait::detail
