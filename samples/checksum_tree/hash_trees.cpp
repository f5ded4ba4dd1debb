// The mode without --check: prints a list.
#include "modes.hpp"

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <utility>

#include "ordered_hashing.hpp"
#include "text.hpp"
#include "tree_walk.hpp"

namespace checksum_tree {
namespace {

std::string list_line(const HashedFile& file) {
  const std::string& path = file.entry.path;
  if (needs_escape(path)) return '\\' + file.checksum + "  " + escaped(path);
  return file.checksum + "  " + path;
}

// Walks the trees a second time, for their size; what cannot be read is reported by the first walk.
void count_files(const std::vector<std::string>& roots, const std::stop_token& stop, Work& total) {
  const ReportProblem ignore = [](std::string_view, std::string_view) {};
  MergedWalk walk(roots, ignore, stop);
  while (const std::optional<std::string> path = walk.next()) {
    struct stat status{};
    if (::lstat(path->c_str(), &status) != 0) continue;
    total.bytes += static_cast<std::uint64_t>(status.st_size);
    ++total.files;
  }
}

}  // namespace

int hash_trees(const Options& options, Session& session) {
  std::uint64_t problems = 0;
  const ReportProblem report = [&](std::string_view path, std::string_view problem) {
    ++problems;
    session.console.say(shell_quoted(path) + ": " + std::string(problem));
  };
  session.console.count_in_background([&](const std::stop_token& enough, Work& total) {
    count_files(options.paths, enough, total);
  });

  MergedWalk walk(options.paths, report, session.interrupt.token());
  const auto next = [&]() -> std::optional<Entry> {
    std::optional<std::string> path = walk.next();
    if (!path) return std::nullopt;
    return Entry{std::move(*path)};
  };
  const auto emit = [&](const HashedFile& file) {
    if (!file.problem.empty()) return report(file.entry.path, file.problem);
    session.output.add_line(list_line(file));
  };
  const FileHasher hasher(DigestType(*options.algorithm), Names::of_tree, session.done);
  OrderedHashing hashing(options, hasher, session);
  if (!hashing.run(next, emit)) return session.interrupt.exit_status();
  if (problems == 0) return 0;
  session.console.say("WARNING: " + counted(problems, "path", "paths") + " could not be read");
  return 1;
}

}  // namespace checksum_tree
