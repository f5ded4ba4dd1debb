// SharedArray: elements that a process pool's tasks work on where they lie.
#pragma once

#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

#include <plait/executors/detail/shared_block.hpp>

namespace plait {

class ProcessPoolExecutor;

/// An array in memory that a ProcessPoolExecutor shares with its workers: as an argument or a
/// result only its place travels, however large it is.
///
/// Made by ProcessPoolExecutor::shared_array(). Copies refer to the same elements; the last one
/// gives the memory back to the pool, which keeps some of it for the next array. A task gets it as
/// an argument, may read and write, and may return it. Who writes while another reads has to agree
/// with it, as on threads: a task's future is done after its writes. It may outlive its pool.
/// **Python:** multiprocessing.shared_memory. **Threads:** as a pointer to the elements.
template <class T>
class SharedArray {
  static_assert(std::is_trivially_copyable_v<T> && !std::is_pointer_v<T>,
                "the elements are bytes that two processes see: no pointers, no owners");

 public:
  /// Of an element.
  using value_type = T;

  /// No elements.
  SharedArray() noexcept = default;

  /// The elements, side by side.
  T* data() const noexcept {
    // SAFETY: the block was made for so many elements of this trivially copyable type.
    return block_ ? reinterpret_cast<T*>(block_->data) : nullptr;
  }
  /// How many there are.
  std::size_t size() const noexcept { return block_ ? block_->size / sizeof(T) : 0; }
  /// There are none.
  bool empty() const noexcept { return size() == 0; }
  /// The first element; with end() a range.
  T* begin() const noexcept { return data(); }
  /// Behind the last one.
  T* end() const noexcept { return data() + size(); }
  /// One of them, unchecked.
  T& operator[](std::size_t place) const noexcept { return data()[place]; }

  /// For the archives: its place, not its elements.
  template <class Archive>
  void save(Archive& archive) const {
    const detail::SharedBlock none;
    const detail::SharedBlock& block = block_ ? *block_ : none;
    archive(block.arena, block.offset, static_cast<std::uint64_t>(block.size));
  }
  /// As above. @throws SerializationError where it is of another pool
  template <class Archive>
  void load(Archive& archive) {
    std::uint64_t arena = 0, offset = 0, size = 0;
    archive(arena, offset, size);
    block_ = size == 0 ? nullptr : detail::find_shared_block(arena, offset, size);
  }

 private:
  friend ProcessPoolExecutor;
  explicit SharedArray(std::shared_ptr<const detail::SharedBlock> block) noexcept
      : block_(std::move(block)) {}

  std::shared_ptr<const detail::SharedBlock> block_;  // null: no elements
};

}  // namespace plait
