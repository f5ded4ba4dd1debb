// The slow half of frame memory: chunks from the system, and the depot that threads share.
#include <plait/core/detail/frame_memory.hpp>

#include <algorithm>
#include <utility>

#include "core/mutex.hpp"

namespace plait::detail {
namespace {

using Block = FrameCache::Block;

constexpr std::uint32_t batch = 64;  // blocks that move between a thread and the depot at once
constexpr std::size_t small_chunk = 4096, large_chunk = std::size_t{64} * 1024;

#if defined(__SANITIZE_ADDRESS__)
constexpr bool recycles = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
constexpr bool recycles = false;
#else
constexpr bool recycles = true;
#endif
#else
constexpr bool recycles = true;
#endif

// Full batches, by size. The first block of a batch also links it to the next batch.
class Depot {
 public:
  void put(std::size_t place, Block* first) {
    MutexLock lock(mutex_);
    batches_[place] = ::new (static_cast<void*>(first)) Batch{first->next, batches_[place]};
  }

  Block* take(std::size_t place) {
    MutexLock lock(mutex_);
    Batch* const taken = batches_[place];
    if (!taken) return nullptr;
    batches_[place] = taken->next_batch;
    return ::new (static_cast<void*>(taken)) Block{taken->next};
  }

  // The chunks double from small to large, so that a program with few coroutines stays small.
  std::size_t next_chunk_size() {
    MutexLock lock(mutex_);
    return std::exchange(chunk_size_, std::min(2 * chunk_size_, large_chunk));
  }

 private:
  struct Batch {
    Block* next;
    Batch* next_batch;
  };

  Mutex mutex_;
  std::array<Batch*, FrameCache::classes> batches_ PLAIT_TSA(guarded_by(mutex_)) = {};
  std::size_t chunk_size_ PLAIT_TSA(guarded_by(mutex_)) = small_chunk;
};

Depot& depot() {
  static Depot& depot = *new Depot;  // never destroyed: frames may outlive main
  return depot;
}

// Set at the end of a thread. Apart from CacheEnd, whose own members are gone by then.
constinit thread_local bool cache_ended = false;

// Gives a thread's blocks to the depot when it ends; from then on it keeps none.
struct CacheEnd {
  ~CacheEnd() {
    for (std::size_t place = 0; place < FrameCache::classes; ++place) {
      if (Block* const first = std::exchange(frame_cache.free[place], nullptr)) {
        depot().put(place, first);
      }
      frame_cache.room[place] = 0;
    }
    cache_ended = true;
  }
};

// Makes sure that the calling thread has one.
void remember_cache_end() {
  static thread_local const CacheEnd end;
  (void)end;
}

std::size_t block_size(std::size_t place) {
  return std::max(place * FrameCache::unit, 2 * sizeof(void*));
}

// A list of fresh blocks in the order of their addresses.
Block* carve(std::size_t place) {
  const std::size_t size = block_size(place);
  const std::size_t count = std::max<std::size_t>(depot().next_chunk_size() / size, 1);
  auto* const chunk = static_cast<std::byte*>(::operator new(count * size));
  Block* first = nullptr;
  for (std::size_t left = count; left > 0; --left) {
    first = ::new (static_cast<void*>(chunk + (left - 1) * size)) Block{first};
  }
  return first;
}

}  // namespace

void* allocate_frame_slowly(std::size_t size) {
  const std::size_t place = (size + FrameCache::unit - 1) / FrameCache::unit;
  if (!recycles || place >= FrameCache::classes) return ::operator new(size);
  if (cache_ended) return ::operator new(block_size(place));
  remember_cache_end();
  Block* const first = depot().take(place);
  frame_cache.free[place] = first ? first : carve(place);
  return allocate_frame(size);
}

void free_frame_slowly(void* frame, std::size_t size) noexcept {
  const std::size_t place = (size + FrameCache::unit - 1) / FrameCache::unit;
  if (!recycles || place >= FrameCache::classes) return ::operator delete(frame);
  auto* const block = ::new (frame) Block{nullptr};
  if (cache_ended) return depot().put(place, block);
  remember_cache_end();
  Block*& first = frame_cache.free[place];
  Block* last = first;
  for (std::uint32_t count = 1; last && count < batch; ++count) last = last->next;
  if (last) depot().put(place, std::exchange(first, std::exchange(last->next, nullptr)));
  frame_cache.room[place] = batch;
  block->next = std::exchange(first, block);
}

}  // namespace plait::detail
