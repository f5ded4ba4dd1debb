// A piece of memory that a process pool shares with its workers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace plait::detail {

/// Where it lies, in this process and in the pool's arena. Given back when the last handle of the
/// pool's process goes.
struct SharedBlock {
  std::uint64_t arena = 0;   ///< which one, in the pool's process
  std::uint64_t offset = 0;  ///< in it
  std::size_t size = 0;      ///< in bytes
  std::byte* data = nullptr;
};

/// The block that another process names. @throws SerializationError where there is none
std::shared_ptr<const SharedBlock> find_shared_block(std::uint64_t arena, std::uint64_t offset,
                                                     std::uint64_t size);

}  // namespace plait::detail
