// The common part of all benchmark programs: options, interleaved repeats and the printed table.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace bench {

/// What the command line of every benchmark program can set.
struct Options {
  int repeat = 5;      ///< Samples of each contender; the table shows the best and the median.
  bool quick = false;  ///< Tiny loads: shows in seconds that the program works, measures nothing.
  double seconds = 10.0;  ///< How long idle_cpu watches an idle pool.
};

/// Reads `--quick`, `--repeat N`, `--seconds S`; prints the usage and exits on anything else.
Options parse_options(int argc, char** argv, Options defaults = Options());

/// Best and median of the samples of one contender in one case.
struct Figures {
  double best = 0.0;
  double median = 0.0;
};

/// One system in one case. A sample is a figure for which less is better.
struct Contender {
  std::string name;
  std::function<double()> sample;
  /// For the first contender of a case (ours): its own figure should be at most this. For a peer:
  /// ours should be at most this times the peer's.
  std::optional<double> aim = std::nullopt;
};

/// A table that is printed case by case, as soon as a case is measured.
class Report {
 public:
  /// Prints the title, the machine's state and the head of the table.
  Report(const std::string& title, std::string unit, const Options& options);

  /// Samples the contenders in turn, `repeat` times, so that a disturbance of the machine hits all
  /// of them alike; prints their lines and returns the figures of the first one.
  Figures measure(const std::string& name, const std::vector<Contender>& contenders);

  /// Prints one more line below the last case: `ours` against another case's figure.
  void compare(const std::string& other, Figures ours, Figures theirs, double aim);

 private:
  void print_ours(const std::string& name, const Contender& contender, Figures figures) const;
  void print_peer(const Contender& peer, Figures ours, Figures theirs) const;

  std::string unit_;
  int repeat_;
};

/// Nanoseconds of one run of `body`.
template <class Body>
double nanoseconds_of(Body&& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count();
}

/// Ends the program with a message unless a contender computed what it should: a figure for wrong
/// results must not get into a table.
void require(bool condition, const char* what);

}  // namespace bench
