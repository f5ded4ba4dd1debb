// The choice between threads and processes.
#include "workers.hpp"

namespace checksum_tree {

Workers::Workers(std::size_t count, bool are_processes)
    : threads_({.max_workers = count, .thread_name_prefix = "checksum"}) {
  if (are_processes) processes_.emplace(count);
}

// Standard input is this process's alone.
plait::Executor& Workers::place_for(const Entry& entry) {
  if (!processes_ || entry.path == "-") return threads_;
  return *processes_;
}

void Workers::kill_processes() {
  if (processes_) processes_->kill_workers();
}

}  // namespace checksum_tree
