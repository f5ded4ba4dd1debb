// The threads or processes that hash.
#pragma once

#include <cstddef>
#include <optional>
#include <plait/futures.hpp>

#include "file_hasher.hpp"

namespace checksum_tree {

/// A pool of threads or of processes: who gives it files does not see which.
class Workers {
 public:
  /// `count` of them; 0: as many as the pool finds right.
  Workers(std::size_t count, bool are_processes);

  /// Where `entry` is to be hashed.
  plait::Executor& place_for(const Entry& entry);
  /// Ends what runs in processes, which no stop token reaches.
  void kill_processes();

 private:
  plait::ThreadPoolExecutor threads_;  // starts none that it does not need
  std::optional<plait::ProcessPoolExecutor> processes_{};
};

}  // namespace checksum_tree
