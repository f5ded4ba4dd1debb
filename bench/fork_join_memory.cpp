// Question: how much memory does a tree of forks and joins take, while it runs?
#include <fstream>
#include <limits>
#include <string>

#include "fork_join_contender.hpp"
#include "harness.hpp"
#include "in_child.hpp"

namespace {

// A field of /proc/self/status, in megabytes.
double status_megabytes(const std::string& field) {
  std::ifstream status("/proc/self/status");
  std::string name;
  while (status >> name && name != field + ":") {
    status.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  double kibibytes = 0;
  bench::require(static_cast<bool>(status >> kibibytes), field.c_str());
  return kibibytes * 1024 / 1e6;
}

// By how much the peak of the resident memory grows in the run; the threads' own is in it.
double peak_growth(const bench::ForkJoinContender& system, int depth, int threads) {
  return bench::in_child([&] {
    const double before = status_megabytes("VmHWM");  // a fork begins with what is resident
    system.skynet(depth, threads);
    return status_megabytes("VmHWM") - before;
  });
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Options options = bench::parse_options(argc, argv, {.repeat = 2});
  bench::Report report("fork_join_memory: peak of skynet, 2 threads, their own memory included",
                       "MB", options);
  const bench::ForkJoinContender ours = bench::plait_fork_join(), tbb = bench::tbb_task_group();
  constexpr double aim_megabytes = 20.0;
  for (const int depth : {3, 5, 7}) {
    if (options.quick && depth > 4) break;
    report.measure("leaves: 10 to the power of " + std::to_string(depth),
                   {{ours.name, [&] { return peak_growth(ours, depth, 2); }, aim_megabytes},
                    {tbb.name, [&] { return peak_growth(tbb, depth, 2); }}});
  }
}
