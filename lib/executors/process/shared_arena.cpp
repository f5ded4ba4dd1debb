// Where arrays lie that several processes see.
#include "executors/process/shared_arena.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <iterator>
#include <new>
#include <system_error>

#include <plait/core/errors.hpp>

namespace plait::detail {
namespace {

constexpr std::size_t page = 4096;

// Free memory that stays with the arena: to get fresh memory costs more than to copy into it.
constexpr std::size_t most_kept = 256UL << 20;

[[noreturn]] void throw_errno(const char* call) {
  throw std::system_error(errno, std::generic_category(), call);
}

// The arenas of this process, or of the pool that this worker belongs to. Never destroyed: arrays
// may outlive static destruction.
struct Arenas {
  Mutex mutex;
  std::map<std::uint64_t, std::weak_ptr<SharedArena>> known PLAIT_TSA(guarded_by(mutex));
  std::shared_ptr<SharedArena> of_worker PLAIT_TSA(guarded_by(mutex));
};
Arenas& arenas() {
  static Arenas& arenas = *new Arenas;
  return arenas;
}

// A worker knows its pool's arena, and may have pools itself.
std::uint64_t make_id() {
  // Increased by any thread, default order.
  static std::atomic<std::uint32_t> last{0};
  return (static_cast<std::uint64_t>(::getpid()) << 32) | ++last;
}

PrivateFd make_file() {
  const auto pages = static_cast<std::size_t>(::sysconf(_SC_PHYS_PAGES));
  const PrivateFd low(::memfd_create("plait-arena", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  // Sealed: a worker that made it shorter would end the others with SIGBUS.
  if (!low || ::ftruncate(low.get(), static_cast<off_t>(pages * page)) != 0 ||
      ::fcntl(low.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    throw_errno("memfd_create()");
  }
  return PrivateFd::copy_of(low.get());
}

[[noreturn]] void throw_no_such_block() {
  throw SerializationError(
      "a SharedArray is not of this pool, or is no longer there: make it with the shared_array() "
      "of "
      "the pool that it is given to");
}

}  // namespace

SharedArena::SharedArena(std::uint64_t id, PrivateFd fd, bool owner)
    : id_(id), fd_(std::move(fd)), owner_(owner) {
  struct stat found{};
  if (::fstat(fd_.get(), &found) != 0) throw_errno("fstat()");
  capacity_ = static_cast<std::size_t>(found.st_size);
}

std::shared_ptr<SharedArena> SharedArena::make() {
  const std::shared_ptr<SharedArena> arena(new SharedArena(make_id(), make_file(), true));
  Arenas& all = arenas();
  MutexLock lock(all.mutex);
  all.known[arena->id_] = arena;
  return arena;
}

void SharedArena::open_in_worker(std::uint64_t id, int fd) {
  std::shared_ptr<SharedArena> arena(new SharedArena(id, PrivateFd(fd), false));
  {
    MutexLock lock(arena->mutex_);
    arena->map();
  }
  arena->fd_.close();
  Arenas& all = arenas();
  MutexLock lock(all.mutex);
  all.known[id] = arena;
  all.of_worker = std::move(arena);
}

SharedArena::~SharedArena() {
  if (base_) ::munmap(base_, capacity_);
  Arenas& all = arenas();
  MutexLock lock(all.mutex);
  all.known.erase(id_);
}

void SharedArena::map() {
  if (base_) return;
  void* const memory =
      ::mmap(nullptr, capacity_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd_.get(), 0);
  if (memory == MAP_FAILED) throw_errno("mmap()");
  base_ = static_cast<std::byte*>(memory);
}

// ---------------------------------------------------------------- blocks

std::shared_ptr<const SharedBlock> SharedArena::allocate(std::size_t size) {
  if (size == 0) return nullptr;
  auto block = std::make_unique<SharedBlock>();
  MutexLock lock(mutex_);
  map();
  const std::size_t offset = take_room((size + page - 1) / page * page);
  *block = {.arena = id_, .offset = offset, .size = size, .data = base_ + offset};
  std::shared_ptr<const SharedBlock> handle(block.release(),
                                            [arena = shared_from_this()](const SharedBlock* given) {
                                              arena->give_back(*given);
                                              delete given;
                                            });
  blocks_[offset] = handle;
  return handle;
}

// The smallest part that is large enough, else new room.
std::size_t SharedArena::take_room(std::size_t size) {
  auto best = free_.end();
  for (auto part = free_.begin(); part != free_.end(); ++part) {
    if (part->second >= size && (best == free_.end() || part->second < best->second)) best = part;
  }
  if (best == free_.end()) {
    if (size > capacity_ - used_) throw std::bad_alloc();
    return std::exchange(used_, used_ + size);
  }
  const auto [offset, room] = *best;
  free_.erase(best);
  kept_ -= size;
  if (room > size) free_[offset + size] = room - size;
  return offset;
}

void SharedArena::give_back(const SharedBlock& block) noexcept {
  std::size_t size = (block.size + page - 1) / page * page;
  MutexLock lock(mutex_);
  blocks_.erase(block.offset);
  kept_ += size;
  if (kept_ > most_kept) {
    ::fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                static_cast<off_t>(block.offset), static_cast<off_t>(size));
  }
  std::size_t offset = block.offset;
  auto after = free_.lower_bound(offset);
  if (after != free_.end() && offset + size == after->first) {
    size += after->second;
    after = free_.erase(after);
  }
  if (after != free_.begin()) {
    const auto before = std::prev(after);
    if (before->first + before->second == offset) {
      before->second += size;
      return;
    }
  }
  free_.emplace_hint(after, offset, size);
}

std::shared_ptr<const SharedBlock> SharedArena::find(std::uint64_t offset, std::uint64_t size) {
  MutexLock lock(mutex_);
  if (!owner_) {
    if (offset > capacity_ || size > capacity_ - offset) throw_no_such_block();
    return std::make_shared<const SharedBlock>(
        SharedBlock{.arena = id_, .offset = offset, .size = size, .data = base_ + offset});
  }
  const auto found = blocks_.find(offset);
  auto block = found == blocks_.end() ? nullptr : found->second.lock();
  if (!block || block->size != size) throw_no_such_block();
  return block;
}

std::shared_ptr<const SharedBlock> find_shared_block(std::uint64_t arena, std::uint64_t offset,
                                                     std::uint64_t size) {
  std::shared_ptr<SharedArena> found;
  {
    Arenas& all = arenas();
    MutexLock lock(all.mutex);
    if (const auto place = all.known.find(arena); place != all.known.end()) {
      found = place->second.lock();
    }
  }
  if (!found) throw_no_such_block();
  return found->find(offset, size);
}

}  // namespace plait::detail
