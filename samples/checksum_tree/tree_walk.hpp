// The regular files below some paths, in byte order of their whole paths, one at a time.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace checksum_tree {

/// Told of each path that could not be looked at, and why.
using ReportProblem = std::function<void(std::string_view path, std::string_view problem)>;

/// Walks one tree as `find ROOT -type f` does, but in the order of `LC_ALL=C sort`.
///
/// Only the names of the directories on the way to the current file are in memory, and of each at
/// most a fixed number: a larger directory is read again for its next names.
class TreeWalk {
 public:
  /// Nothing is read before the first next().
  TreeWalk(std::string root, const ReportProblem& report, std::stop_token stop);

  /// The next file's path; nothing at the end, or once `stop` was requested.
  std::optional<std::string> next();

 private:
  // One directory on the way. The names wait in falling order, so that the next one is at the back;
  // a directory's name ends in '/': then their order is that of the paths below them.
  struct Level {
    std::string path;  // ends in '/'
    std::vector<std::string> names{};
    std::string last_read{};  // everything up to this name was in `names` already
    bool has_more = true;     // the directory may have names after `last_read`
  };

  void start();
  void read_names(Level& level);

  std::string root_;
  const ReportProblem* report_;
  std::stop_token stop_;
  bool started_ = false;
  std::optional<std::string> single_file_{};
  std::vector<Level> levels_{};
};

/// Walks several trees and merges their files into one order.
class MergedWalk {
 public:
  /// `report` must outlive the walk.
  MergedWalk(const std::vector<std::string>& roots, const ReportProblem& report,
             std::stop_token stop);

  /// The smallest path not yet given; nothing at the end.
  std::optional<std::string> next();

 private:
  // A tree with its next path; before the first one was asked for, the root: no path below it is
  // smaller. So a tree is not read before its turn comes.
  struct Head {
    std::string path;
    bool started;
    TreeWalk walk;
  };
  struct Later;

  std::vector<Head> heap_{};  // std::push_heap's order, smallest path first
};

}  // namespace checksum_tree
