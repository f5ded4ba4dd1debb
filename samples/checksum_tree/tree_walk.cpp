// Depth first through directories whose names are sorted as if a directory's name ended in '/'.
#include "tree_walk.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <memory>
#include <system_error>
#include <utility>

namespace checksum_tree {
namespace {

// The most names of one directory that are in memory at a time.
constexpr std::size_t most_names = 32'768;

std::string error_text(int error) { return std::generic_category().message(error); }

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

// O_NOFOLLOW: a directory that was replaced by a link since it was listed is not entered.
Directory open_directory(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return nullptr;
  Directory directory(::fdopendir(fd));
  if (!directory) ::close(fd);
  return directory;
}

unsigned char type_of(DIR* directory, const dirent& entry) {
  if (entry.d_type != DT_UNKNOWN) return entry.d_type;  // not every file system tells
  struct stat status{};
  if (::fstatat(::dirfd(directory), entry.d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) return DT_REG;
  return static_cast<unsigned char>(IFTODT(status.st_mode));
}

// The name of a regular file, the name and '/' of a directory, and nothing for the rest.
std::string name_to_visit(DIR* directory, const dirent& entry) {
  const std::string_view name = entry.d_name;
  if (name == "." || name == "..") return {};
  switch (type_of(directory, entry)) {
    case DT_REG:
      return std::string(name);
    case DT_DIR:
      return std::string(name) + '/';
    default:
      return {};
  }
}

// Keeps the smallest names it is given, at most `most_names` of them.
class SmallestNames {
 public:
  void add(std::string name) {
    if (names_.size() == most_names) {
      dropped_ = true;
      if (name > names_.front()) return;
      std::ranges::pop_heap(names_);
      names_.pop_back();
    }
    names_.push_back(std::move(name));
    if (names_.size() == most_names && !dropped_) std::ranges::make_heap(names_);
    if (dropped_) std::ranges::push_heap(names_);
  }
  bool dropped() const { return dropped_; }
  std::vector<std::string> take_falling() {
    std::ranges::sort(names_, std::ranges::greater());
    return std::move(names_);
  }

 private:
  std::vector<std::string> names_{};  // a heap, largest first, from when it is full
  bool dropped_ = false;
};

}  // namespace

TreeWalk::TreeWalk(std::string root, const ReportProblem& report, std::stop_token stop)
    : root_(std::move(root)), report_(&report), stop_(std::move(stop)) {}

std::optional<std::string> TreeWalk::next() {
  if (!std::exchange(started_, true)) start();
  if (single_file_) return std::exchange(single_file_, std::nullopt);
  while (!levels_.empty() && !stop_.stop_requested()) {
    Level& level = levels_.back();
    if (level.names.empty()) {
      if (!level.has_more)
        levels_.pop_back();
      else
        read_names(level);
      continue;
    }
    std::string path = level.path + level.names.back();
    level.names.pop_back();
    if (path.back() != '/') return path;
    levels_.push_back({std::move(path)});
  }
  return std::nullopt;
}

void TreeWalk::start() {
  struct stat status{};
  if (::lstat(root_.c_str(), &status) != 0) {
    (*report_)(root_, error_text(errno));
  } else if (S_ISDIR(status.st_mode)) {
    levels_.push_back({root_.ends_with('/') ? root_ : root_ + '/'});
  } else if (S_ISREG(status.st_mode)) {
    single_file_ = root_;
  }
}

void TreeWalk::read_names(Level& level) {
  level.has_more = false;
  // Without the '/' at the end, which would make the open follow a link; the user's own '/' stays.
  const std::string path =
      levels_.size() == 1 ? root_ : level.path.substr(0, level.path.size() - 1);
  const Directory directory = open_directory(path);
  if (!directory) return (*report_)(path, error_text(errno));
  SmallestNames smallest;
  errno = 0;
  while (const dirent* entry = ::readdir(directory.get())) {
    if (stop_.stop_requested()) return;
    std::string name = name_to_visit(directory.get(), *entry);
    if (name > level.last_read) smallest.add(std::move(name));
    errno = 0;
  }
  if (errno != 0) (*report_)(path, error_text(errno));
  level.has_more = smallest.dropped();
  level.names = smallest.take_falling();
  if (!level.names.empty()) level.last_read = level.names.front();
}

// The heap algorithms put the largest first; a walk whose path comes later counts as smaller.
struct MergedWalk::Later {
  bool operator()(const Head& a, const Head& b) const { return a.path > b.path; }
};

MergedWalk::MergedWalk(const std::vector<std::string>& roots, const ReportProblem& report,
                       std::stop_token stop) {
  for (const std::string& root : roots) heap_.push_back({root, false, {root, report, stop}});
  std::ranges::make_heap(heap_, Later());
}

std::optional<std::string> MergedWalk::next() {
  while (!heap_.empty()) {
    std::ranges::pop_heap(heap_, Later());
    Head& head = heap_.back();
    std::optional<std::string> result;
    if (std::exchange(head.started, true)) result = std::move(head.path);
    if (std::optional<std::string> following = head.walk.next()) {
      head.path = std::move(*following);
      std::ranges::push_heap(heap_, Later());
    } else {
      heap_.pop_back();
    }
    if (result) return result;
  }
  return std::nullopt;
}

}  // namespace checksum_tree
