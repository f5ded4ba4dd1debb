// Question: how long does one job take from submit() to its result, when nothing else goes on?
#include <chrono>
#include <optional>
#include <vector>

#include "harness.hpp"
#include "job_contender.hpp"

namespace {

using bench::Contender;
using bench::JobContender;
using bench::RoundTripLoad;

struct Aims {
  std::optional<double> ours;
  std::optional<double> of_asio;
};

std::vector<Contender> contenders(const RoundTripLoad& ours, const RoundTripLoad& peers,
                                  const Aims& aims) {
  const auto with = [](const JobContender& system, const RoundTripLoad& load) {
    return [round_trip = system.round_trip, load] { return round_trip(load); };
  };
  std::vector<Contender> all{{"plait", with(bench::plait_jobs(), ours), aims.ours},
                             {"Boost.Asio", with(bench::asio_jobs(), peers), aims.of_asio}};
  for (const JobContender& system : bench::boost_thread_jobs()) {
    all.push_back({system.name, with(system, peers)});
  }
  all.push_back({"std::async", with(bench::std_async_jobs(), peers)});
  return all;
}

}  // namespace

int main(int argc, char** argv) {
  using std::chrono::milliseconds;
  const bench::Options options = bench::parse_options(argc, argv);
  bench::Report report("round_trip: one job at a time, submitted and read by one thread, 2 workers",
                       "ns", options);

  constexpr unsigned workers = 2;
  const Aims aims{.ours = 1000.0, .of_asio = 0.05};
  const RoundTripLoad many{options.quick ? 2'000u : 200'000u, workers, milliseconds(0)};
  const RoundTripLoad some{options.quick ? 200u : 5'000u, workers, milliseconds(0)};
  report.measure("back to back, worker awake", contenders(many, some, aims));

  const RoundTripLoad paused{options.quick ? 3u : 25u, workers, milliseconds(20)};
  report.measure("after 20 ms idle, worker asleep", contenders(paused, paused, {}));
}
