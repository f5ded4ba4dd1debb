// The memory that a process pool shares with its workers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>

#include <plait/executors/detail/shared_block.hpp>
#include "core/mutex.hpp"
#include "executors/process/private_fd.hpp"

namespace plait::detail {

/// One file in memory as large as the machine's, of which only what was written to takes room. Each
/// process maps the whole file, so a block is the same offset everywhere, and no worker needs to be
/// told of new ones. The pool's process alone decides which parts are in use.
///
/// Any thread may call any member.
class SharedArena : public std::enable_shared_from_this<SharedArena> {
 public:
  /// The pool's end. @throws std::system_error
  static std::shared_ptr<SharedArena> make();
  /// The worker's end: what it got as `fd`, which is closed. @throws std::system_error
  static void open_in_worker(std::uint64_t id, int fd);
  ~SharedArena();
  SharedArena(const SharedArena&) = delete;
  SharedArena& operator=(const SharedArena&) = delete;

  std::uint64_t id() const noexcept { return id_; }
  int fd() const noexcept { return fd_.get(); }
  /// Cleared where it was never used; else with what was there before. @throws std::bad_alloc
  std::shared_ptr<const SharedBlock> allocate(std::size_t size);
  /// See find_shared_block().
  std::shared_ptr<const SharedBlock> find(std::uint64_t offset, std::uint64_t size);

 private:
  SharedArena(std::uint64_t id, PrivateFd fd, bool owner);

  void map() PLAIT_TSA(requires_capability(mutex_));
  void give_back(const SharedBlock& block) noexcept;
  std::size_t take_room(std::size_t size) PLAIT_TSA(requires_capability(mutex_));

  const std::uint64_t id_;
  PrivateFd fd_;
  const bool owner_;  // of what is in use; else a worker, which takes every place for a block
  std::size_t capacity_ = 0;

  Mutex mutex_;
  std::byte* base_ PLAIT_TSA(guarded_by(mutex_)) = nullptr;  // null: not mapped yet
  std::size_t used_ PLAIT_TSA(guarded_by(mutex_)) = 0;       // nothing behind it was ever in use
  std::size_t kept_ PLAIT_TSA(guarded_by(mutex_)) = 0;       // bytes of free_
  // Free parts before used_, by offset; none touches another.
  std::map<std::size_t, std::size_t> free_ PLAIT_TSA(guarded_by(mutex_));
  std::map<std::size_t, std::weak_ptr<const SharedBlock>> blocks_ PLAIT_TSA(guarded_by(mutex_));
};

}  // namespace plait::detail
