// How many processors this process may use.
#pragma once

#include <cstddef>
#include <filesystem>

namespace plait::detail {

/// The processors of the affinity mask, or fewer where a cgroup's quota (v1 or v2) allows less; at
/// least 1. `root` stands for the file system's root, for tests.
std::size_t usable_cpus(const std::filesystem::path& root = "/");

}  // namespace plait::detail
