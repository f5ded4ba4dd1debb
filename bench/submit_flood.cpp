// Question: what does a job cost when a flood of empty jobs is submitted and every result is read?
#include <algorithm>
#include <string>
#include <vector>

#include "harness.hpp"
#include "job_contender.hpp"

namespace {

using bench::Contender;
using bench::FloodLoad;
using bench::JobContender;

// A thread a job is so slow that fewer jobs give the same figure.
constexpr std::size_t most_threads = 20'000;

std::vector<Contender> contenders(const FloodLoad& load, std::optional<double> aim_of_asio) {
  const auto with = [](const JobContender& system, const FloodLoad& its_load) {
    return [flood = system.flood, its_load] { return flood(its_load); };
  };
  std::vector<Contender> all{{"plait", with(bench::plait_jobs(), load)},
                             {"Boost.Asio", with(bench::asio_jobs(), load), aim_of_asio}};
  for (const JobContender& system : bench::boost_thread_jobs()) {
    all.push_back({system.name, with(system, load)});
  }
  FloodLoad few = load;
  few.jobs = std::min(load.jobs, most_threads);
  all.push_back({"std::async", with(bench::std_async_jobs(), few)});
  return all;
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Options options = bench::parse_options(argc, argv);
  const std::size_t jobs = options.quick ? 20'000 : 1'000'000;
  bench::Report report("submit_flood: " + std::to_string(jobs) +
                           " empty jobs, every result read (std::async: at most 20000)",
                       "ns a job", options);

  constexpr double aim_against_asio = 0.2;
  constexpr double aim_against_base = 2.0;
  const auto base =
      report.measure("1 submitter, 2 workers", contenders({jobs, 2, 1}, aim_against_asio));
  const auto two = report.measure("2 submitters, 2 workers", contenders({jobs, 2, 2}, {}));
  report.compare("plait, 1 submitter", two, base, aim_against_base);
  const auto eight = report.measure("1 submitter, 8 workers", contenders({jobs, 8, 1}, {}));
  report.compare("plait, 2 workers", eight, base, aim_against_base);
}
