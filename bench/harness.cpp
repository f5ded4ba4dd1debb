// The common part of all benchmark programs: options, interleaved repeats and the printed table.
#include "harness.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <thread>
#include <utility>

namespace bench {
namespace {

[[noreturn]] void exit_with_usage(const char* program, int status) {
  std::fprintf(status == 0 ? stdout : stderr,
               "usage: %s [--quick] [--repeat N] [--seconds S]\n"
               "  --quick      tiny loads, one repeat: shows that the program works\n"
               "  --repeat N   samples of each contender (best and median are shown)\n"
               "  --seconds S  idle_cpu only: how long an idle pool is watched\n",
               program);
  std::exit(status);
}

double positive_number(const char* text, const char* program) {
  char* end = nullptr;
  const double value = std::strtod(text, &end);
  if (end == text || *end != '\0' || !(value > 0.0)) exit_with_usage(program, 2);
  return value;
}

Figures figures_of(std::vector<double> samples) {
  std::sort(samples.begin(), samples.end());
  return {samples.front(), samples[samples.size() / 2]};
}

// Three significant digits, without exponents: 0.0123, 1.23, 12.3, 123, 12300.
std::string number(double value) {
  const int decimals = value >= 100.0 ? 0 : value >= 10.0 ? 1 : value >= 1.0 ? 2 : 4;
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

std::string at_most(double aim, const std::string& unit) {
  char text[64];
  std::snprintf(text, sizeof text, "<= %g%s", aim, unit.c_str());
  return text;
}

void print_line(const std::string& name, const std::string& contender, Figures figures,
                const std::string& ratio, const std::string& aim, const char* verdict) {
  std::printf("%-32s %-22s %10s %10s %9s  %-17s %s\n", name.c_str(), contender.c_str(),
              number(figures.best).c_str(), number(figures.median).c_str(), ratio.c_str(),
              aim.c_str(), verdict);
  std::fflush(stdout);
}

const char* verdict_of(bool reached) { return reached ? "reached" : "MISSED"; }

void print_machine() {
  double load[1] = {0.0};
  if (getloadavg(load, 1) != 1) load[0] = -1.0;
#ifdef __clang__
  const char* compiler = "Clang " __clang_version__;
#else
  const char* compiler = "GCC " __VERSION__;
#endif
#ifdef __OPTIMIZE__
  const char* optimised = "optimised";
#else
  const char* optimised = "NOT OPTIMISED: build with --buildtype=release";
#endif
  std::printf("%u CPUs, load %.2f before the start, %s, %s\n", std::thread::hardware_concurrency(),
              load[0], compiler, optimised);
}

}  // namespace

Options parse_options(int argc, char** argv, Options defaults) {
  Options options = defaults;
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    const bool has_value = i + 1 < argc;
    if (flag == "--quick") {
      options.quick = true;
      options.repeat = 1;
      options.seconds = 0.5;
    } else if (flag == "--repeat" && has_value) {
      options.repeat = std::max(1, static_cast<int>(positive_number(argv[++i], argv[0])));
    } else if (flag == "--seconds" && has_value) {
      options.seconds = positive_number(argv[++i], argv[0]);
    } else {
      exit_with_usage(argv[0], flag == "--help" ? 0 : 2);
    }
  }
  return options;
}

Report::Report(const std::string& title, std::string unit, const Options& options)
    : unit_(std::move(unit)), repeat_(options.repeat) {
  std::printf("\n%s\n", title.c_str());
  print_machine();
  if (options.quick) std::printf("--quick: the figures below mean nothing\n");
  std::printf("figures: %s, best and median of %d\n", unit_.c_str(), repeat_);
  std::printf("%-32s %-22s %10s %10s %9s  %-17s %s\n", "case", "contender", "best", "median",
              "ours/its", "aim", "verdict");
}

Figures Report::measure(const std::string& name, const std::vector<Contender>& contenders) {
  std::vector<std::vector<double>> samples(contenders.size());
  for (int round = 0; round < repeat_; ++round) {
    for (std::size_t i = 0; i < contenders.size(); ++i) {
      samples[i].push_back(contenders[i].sample());
    }
  }
  const Figures ours = figures_of(samples.front());
  print_ours(name, contenders.front(), ours);
  for (std::size_t i = 1; i < contenders.size(); ++i) {
    print_peer(contenders[i], ours, figures_of(samples[i]));
  }
  return ours;
}

void Report::compare(const std::string& other, Figures ours, Figures theirs, double aim) {
  print_peer({other, nullptr, aim}, ours, theirs);
}

void Report::print_ours(const std::string& name, const Contender& contender,
                        Figures figures) const {
  if (!contender.aim) {
    print_line(name, contender.name, figures, "", "", "");
    return;
  }
  print_line(name, contender.name, figures, "", at_most(*contender.aim, " " + unit_),
             verdict_of(figures.best <= *contender.aim));
}

void Report::print_peer(const Contender& peer, Figures ours, Figures theirs) const {
  const double ratio = ours.best / theirs.best;
  if (!peer.aim) {
    print_line("", peer.name, theirs, number(ratio), "", "");
    return;
  }
  print_line("", peer.name, theirs, number(ratio), at_most(*peer.aim, ""),
             verdict_of(ratio <= *peer.aim));
}

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "wrong result: %s\n", what);
  std::abort();
}

}  // namespace bench
