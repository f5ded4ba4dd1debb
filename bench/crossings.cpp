// Question: what does it cost to have a pool's job done from a coroutine, and a coroutine from a
// thread?
#include <optional>
#include <string>

#include "crossing_contender.hpp"
#include "harness.hpp"

namespace {

struct Case {
  const char* name;
  double (*bench::CrossingContender::*load)(std::size_t count);
  std::size_t count;
  std::size_t quick_count;
  double ours;
  std::optional<double> of_asio;
};

constexpr Case cases[] = {
    {"await a job, one at a time", &bench::CrossingContender::await_jobs, 50'000, 100, 2'000.0,
     0.1},
    {"gather windows of 1,000 jobs",
     &bench::CrossingContender::gather_jobs,
     500'000,
     2'000,
     250.0,
     {}},
    {"call a coroutine, wait for it", &bench::CrossingContender::calls, 50'000, 100, 3'000.0, {}},
};

}  // namespace

int main(int argc, char** argv) {
  const bench::Options options = bench::parse_options(argc, argv);
  bench::Report report("crossings: a loop in one thread, a pool of " +
                           std::to_string(bench::crossing_workers) + " workers, all warm",
                       "ns", options);
  const bench::CrossingContender ours = bench::plait_crossings(), asio = bench::asio_crossings();
  for (const Case& one : cases) {
    const std::size_t count = options.quick ? one.quick_count : one.count;
    report.measure(one.name, {{ours.name, [&] { return (ours.*one.load)(count); }, one.ours},
                              {asio.name, [&] { return (asio.*one.load)(count); }, one.of_asio}});
  }
}
