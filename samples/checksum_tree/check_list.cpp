// The mode of --check: verifies a list, with the output and exit status of `sha256sum -c`.
#include "modes.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <string>
#include <system_error>

#include "check_line.hpp"
#include "ordered_hashing.hpp"
#include "text.hpp"

namespace checksum_tree {
namespace {

// A list and what was found out about it so far.
class List {
 public:
  List(const std::string& path, const DigestType& type)
      : name_(path == "-" ? "standard input" : path), is_stdin_(path == "-"), parser_(type) {
    if (is_stdin_) return;
    file_.open(path);
    if (!file_.is_open()) open_problem_ = std::generic_category().message(errno);
  }

  const std::string& open_problem() const { return open_problem_; }
  bool is_broken() { return stream().bad(); }
  const std::string& name() const { return name_; }
  std::uint64_t malformed() const { return malformed_; }
  std::uint64_t well_formed() const { return well_formed_; }

  // The next file to verify; nothing at the list's end.
  std::optional<Entry> next() {
    std::string line;
    while (std::getline(stream(), line)) {
      if (line.starts_with('#')) continue;
      if (line.ends_with('\r')) line.pop_back();
      if (line.empty()) continue;
      std::optional<Entry> entry = parser_.parse(line);
      // A list from standard input cannot name standard input.
      if (entry && !(is_stdin_ && entry->path == "-")) {
        ++well_formed_;
        return entry;
      }
      ++malformed_;
    }
    return std::nullopt;
  }

 private:
  std::istream& stream() { return is_stdin_ ? std::cin : file_; }

  std::string name_;
  std::string open_problem_{};
  bool is_stdin_;
  std::ifstream file_{};
  LineParser parser_;
  std::uint64_t malformed_ = 0;
  std::uint64_t well_formed_ = 0;
};

struct Failures {
  std::uint64_t unreadable = 0;
  std::uint64_t mismatched = 0;
};

// Prints one file's verdict. As coreutils does, escapes the name only where it has a newline.
void emit_verdict(const HashedFile& file, Failures& failures, Session& session) {
  const std::string& path = file.entry.path;
  const bool is_escaped = path.find('\n') != path.npos;
  std::string line = is_escaped ? '\\' + escaped(path) : path;
  if (!file.problem.empty()) {
    ++failures.unreadable;
    session.console.say(shell_quoted(path) + ": " + file.problem);
    line += ": FAILED open or read";
  } else if (file.checksum != file.entry.expected) {
    ++failures.mismatched;
    line += ": FAILED";
  } else {
    line += ": OK";
  }
  session.output.add_line(line);
}

// A list from a pipe can be read only once, so what it names is not counted beforehand.
bool can_read_twice(const std::string& list) {
  struct stat status{};
  return list != "-" && ::stat(list.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

// The files of a list and their size.
void count_listed(const Options& options, const std::stop_token& stop, Work& total) {
  List list(*options.list, DigestType(*options.algorithm));
  while (const std::optional<Entry> entry = list.next()) {
    struct stat status{};
    if (stop.stop_requested()) return;
    if (::stat(entry->path.c_str(), &status) != 0) continue;
    total.bytes += static_cast<std::uint64_t>(status.st_size);
    ++total.files;
  }
}

int report_check(const List& list, const Failures& failures, Console& console) {
  const auto warn = [&](std::uint64_t count, std::string_view one, std::string_view many) {
    if (count > 0) console.say("WARNING: " + counted(count, one, many));
  };
  warn(list.malformed(), "line is improperly formatted", "lines are improperly formatted");
  warn(failures.unreadable, "listed file could not be read", "listed files could not be read");
  warn(failures.mismatched, "computed checksum did NOT match", "computed checksums did NOT match");
  return failures.unreadable == 0 && failures.mismatched == 0 ? 0 : 1;
}

int fail(Console& console, const List& list, std::string_view problem) {
  console.say(shell_quoted(list.name()) + ": " + std::string(problem));
  return 1;
}

}  // namespace

int check_list(const Options& options, Session& session) {
  const DigestType type(*options.algorithm);
  List list(*options.list, type);
  if (!list.open_problem().empty()) return fail(session.console, list, list.open_problem());
  if (can_read_twice(*options.list)) {
    session.console.count_in_background(
        [&](const std::stop_token& stop, Work& total) { count_listed(options, stop, total); });
  }
  Failures failures;
  OrderedHashing hashing(options, FileHasher(type, Names::of_list, session.done), session);
  const bool completed =
      hashing.run([&] { return list.next(); },
                  [&](const HashedFile& file) { emit_verdict(file, failures, session); });
  if (!completed) return session.interrupt.exit_status();
  if (list.is_broken()) return fail(session.console, list, "read error");
  if (list.well_formed() == 0) {
    return fail(session.console, list, "no properly formatted checksum lines found");
  }
  return report_check(list, failures, session.console);
}

}  // namespace checksum_tree
