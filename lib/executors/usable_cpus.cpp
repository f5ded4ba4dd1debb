// How many processors this process may use.
#include "executors/usable_cpus.hpp"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <thread>

namespace plait::detail {
namespace {

namespace fs = std::filesystem;

constexpr double unlimited = std::numeric_limits<double>::infinity();

std::size_t cpus_of_affinity_mask() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    return static_cast<std::size_t>(CPU_COUNT(&set));
  }
  return std::thread::hardware_concurrency();
}

// cgroup v2: "max 100000" or "200000 100000".
double quota_v2(const fs::path& group) {
  std::ifstream file(group / "cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max" || period <= 0) return unlimited;
  return std::strtod(quota.c_str(), nullptr) / period;
}

// cgroup v1: two files, -1 for no limit.
double quota_v1(const fs::path& group) {
  double quota = 0;
  double period = 0;
  std::ifstream(group / "cpu.cfs_quota_us") >> quota;
  std::ifstream(group / "cpu.cfs_period_us") >> period;
  return quota > 0 && period > 0 ? quota / period : unlimited;
}

// The least quota of a group and of those around it.
template <class Quota>
double least_quota(const fs::path& mount, const std::string& group, Quota quota) {
  double least = unlimited;
  for (fs::path path = group;; path = path.parent_path()) {
    least = std::min(least, quota(mount / path.relative_path()));
    if (!path.has_relative_path()) return least;
  }
}

// Lines are "<number>:<controllers>:<group>"; v2's has no controllers.
double cgroup_quota(const fs::path& root) {
  double least = unlimited;
  std::ifstream file(root / "proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    std::string number, controllers, group;
    std::getline(fields, number, ':');
    std::getline(fields, controllers, ':');
    std::getline(fields, group);
    const fs::path mounts = root / "sys/fs/cgroup";
    if (controllers.empty()) {
      least = std::min({least, least_quota(mounts, group, quota_v2),
                        least_quota(mounts / "unified", group, quota_v2)});
    } else if (("," + controllers + ",").find(",cpu,") != std::string::npos) {
      least = std::min({least, least_quota(mounts / "cpu", group, quota_v1),
                        least_quota(mounts / controllers, group, quota_v1)});
    }
  }
  return least;
}

}  // namespace

std::size_t usable_cpus(const fs::path& root) {
  const double quota = std::ceil(cgroup_quota(root));
  const std::size_t cpus = std::max<std::size_t>(1, cpus_of_affinity_mask());
  return quota < static_cast<double>(cpus)
             ? std::max<std::size_t>(1, static_cast<std::size_t>(quota))
             : cpus;
}

}  // namespace plait::detail
