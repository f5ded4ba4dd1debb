// One table: it is what getopt_long parses, and what the help shows.
#include "options.hpp"

#include <getopt.h>

#include <array>
#include <charconv>
#include <iomanip>
#include <sstream>
#include <string_view>
#include <variant>
#include <vector>

namespace job_service {
namespace {

using Member =
    std::variant<std::size_t Options::*, plait::Duration Options::*, std::string Options::*>;

struct Setting {
  const char* name;
  const char* help;
  Member member;
  double lowest = 1;  // of numbers
  double highest = 1'000'000;
};

const std::array settings{
    Setting{"port", "of 127.0.0.1 to listen on; 0: any free one", &Options::port, 0, 65'535},
    Setting{"query-workers", "threads for /query", &Options::query_workers, 1, 1'000},
    Setting{"tile-workers", "processes for /render", &Options::tile_workers, 1, 1'000},
    Setting{"queue-limit", "jobs that may wait for each of the two", &Options::queue_limit, 0},
    Setting{"max-connections", "at a time; more wait to be accepted", &Options::connections},
    Setting{"job-limit", "seconds that a job may take", &Options::job, 0.001},
    Setting{"idle-limit", "seconds between two requests", &Options::idle, 0.001},
    Setting{"request-limit", "seconds for a request to come", &Options::request, 0.001},
    Setting{"response-limit", "seconds to take a response", &Options::response, 0.001},
    Setting{"drain-limit", "seconds for the last requests at the end", &Options::drain, 0},
    Setting{"database", "SQLite file, made if there is none", &Options::database},
};

double parse_number(const Setting& setting, std::string_view text) {
  double number = 0;
  const char* const end = text.data() + text.size();
  const auto [parsed_to, error] = std::from_chars(text.data(), end, number);
  if (error == std::errc() && parsed_to == end && number >= setting.lowest &&
      number <= setting.highest) {
    return number;
  }
  std::ostringstream message;
  message << "--" << setting.name << " takes a number from " << setting.lowest << " to "
          << std::fixed << std::setprecision(0) << setting.highest << ", not '" << text << "'";
  throw UsageError(message.str());
}

void apply(Options& options, const Setting& setting, std::string_view text) {
  if (const auto* name = std::get_if<std::string Options::*>(&setting.member)) {
    options.** name = text;
  } else if (const auto* count = std::get_if<std::size_t Options::*>(&setting.member)) {
    options.** count = static_cast<std::size_t>(parse_number(setting, text));
  } else {
    const std::chrono::duration<double> time(parse_number(setting, text));
    options.*std::get<plait::Duration Options::*>(setting.member) =
        std::chrono::duration_cast<plait::Duration>(time);
  }
}

std::string default_of(const Setting& setting) {
  const Options options;
  if (const auto* count = std::get_if<std::size_t Options::*>(&setting.member)) {
    return " (" + std::to_string(options.**count) + ")";
  }
  if (const auto* time = std::get_if<plait::Duration Options::*>(&setting.member)) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(options.**time);
    return " (" + std::to_string(seconds.count()) + ")";
  }
  return " (a temporary one)";
}

}  // namespace

Options parse_options(int argc, char** argv) {
  std::vector<option> accepted{{"help", no_argument, nullptr, 'h'}};
  for (const Setting& setting : settings) {
    accepted.push_back({setting.name, required_argument, nullptr, 0});
  }
  accepted.push_back({});
  Options options;
  int index = 0;
  for (int found; (found = ::getopt_long(argc, argv, "h", accepted.data(), &index)) != -1;) {
    if (found == '?') throw UsageError("");  // getopt_long has said what is wrong
    if (found == 'h') {
      options.wants_help = true;
      return options;
    }
    apply(options, settings[static_cast<std::size_t>(index) - 1], optarg);
  }
  if (optind < argc) throw UsageError(std::string("what is '") + argv[optind] + "'?");
  return options;
}

std::string help_text() {
  std::ostringstream text;
  text << "Usage: job_service [--NAME VALUE]...\n\n"
          "An HTTP service with queries on threads and tiles from processes. SIGTERM or Ctrl-C\n"
          "ends it once it has answered, a second one at once.\n\n";
  for (const Setting& setting : settings) {
    text << "  --" << std::left << std::setw(16) << setting.name << ' ' << setting.help
         << default_of(setting) << '\n';
  }
  text << "  --help             show this text\n";
  return text.str();
}

}  // namespace job_service
