// Parsing of the command line with getopt_long, and the help.
#include "options.hpp"

#include <getopt.h>

#include <charconv>

#include "text.hpp"

namespace checksum_tree {
namespace {

constexpr std::size_t most_jobs = 1024;

constexpr option long_options[] = {
    {"jobs", required_argument, nullptr, 'j'}, {"algorithm", required_argument, nullptr, 'a'},
    {"processes", no_argument, nullptr, 'p'},  {"check", required_argument, nullptr, 'c'},
    {"help", no_argument, nullptr, 'h'},       {nullptr, 0, nullptr, 0}};

std::string algorithm_names() {
  std::string names;
  for (const Algorithm& algorithm : algorithms()) {
    if (!names.empty()) names += ", ";
    names += algorithm.option;
  }
  return names;
}

std::size_t parse_jobs(std::string_view text) {
  std::size_t jobs = 0;
  const char* const end = text.data() + text.size();
  const auto [parsed_to, error] = std::from_chars(text.data(), end, jobs);
  if (error != std::errc() || parsed_to != end || jobs < 1 || jobs > most_jobs) {
    throw UsageError("-j takes a number from 1 to " + std::to_string(most_jobs) + ", not " +
                     shell_quoted(text));
  }
  return jobs;
}

const Algorithm* parse_algorithm(std::string_view text) {
  if (const Algorithm* found = find_algorithm(text)) return found;
  throw UsageError("unknown algorithm " + shell_quoted(text) + "; there are " + algorithm_names());
}

void apply(Options& options, int letter) {
  switch (letter) {
    case 'j':
      options.jobs = parse_jobs(optarg);
      break;
    case 'a':
      options.algorithm = parse_algorithm(optarg);
      break;
    case 'p':
      options.processes = true;
      break;
    case 'c':
      options.list = optarg;
      break;
    case 'h':
      options.wants_help = true;
      break;
    default:
      throw UsageError("");  // getopt_long has said what is wrong
  }
}

void require_sense(const Options& options) {
  if (options.list && !options.paths.empty()) {
    throw UsageError("--check takes its paths from the list; leave out " +
                     shell_quoted(options.paths.front()));
  }
  if (!options.list && options.paths.empty()) throw UsageError("name a file or directory to hash");
  for (const std::string& path : options.paths) {
    // In a list, "-" would mean standard input to whoever verifies it.
    if (path == "-") throw UsageError("standard input is no tree; a file named - is written ./-");
  }
}

}  // namespace

Options parse_options(int argc, char** argv) {
  Options options;
  for (int letter; (letter = ::getopt_long(argc, argv, "j:a:pc:h", long_options, nullptr)) != -1;) {
    apply(options, letter);
    if (options.wants_help) return options;
  }
  options.paths.assign(argv + optind, argv + argc);
  require_sense(options);
  return options;
}

std::string help_text() {
  return R"(Usage: checksum_tree [-j N] [-p] [-a ALGORITHM] PATH...
       checksum_tree [-j N] [-p] [-a ALGORITHM] --check FILE

Prints the checksum of every regular file below each PATH, in the format of sha256sum and in the
byte order of the whole paths (LC_ALL=C sort). Hashes many files at once. Symbolic links are not
followed, as with `find PATH -type f`; PATH/ with a slash enters a directory that a link leads to.

  -j, --jobs N          hash N files at once, 1 to 1024; default: a few more than there are CPUs
  -p, --processes       hash in processes of their own instead of threads
  -a, --algorithm NAME  )" +
         algorithm_names() + R"(
  -c, --check FILE      verify the files of a list instead, as `sha256sum -c FILE` does; FILE -
                        is standard input. Names in the list that are no regular files count as
                        unreadable.
  -h, --help            show this text

Exit status: 0 when all is well; 1 when a file could not be read, a checksum did not match or the
output could not be written; 2 for a command line that makes no sense; 130 after Ctrl-C.
)";
}

}  // namespace checksum_tree
