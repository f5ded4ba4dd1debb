// Question: what does a pool cost that has nothing to do?
#include <chrono>
#include <vector>

#include "harness.hpp"
#include "job_contender.hpp"

int main(int argc, char** argv) {
  const bench::Options options = bench::parse_options(argc, argv, {.repeat = 1});
  bench::Report report("idle_cpu: a pool of 8 workers, all used once, then nothing for " +
                           std::to_string(options.seconds) + " s",
                       "% CPU", options);

  constexpr double aim_percent = 0.1;
  const bench::IdleLoad load{8, std::chrono::duration<double>(options.seconds)};
  std::vector<bench::JobContender> systems{bench::plait_jobs(), bench::asio_jobs()};
  for (const bench::JobContender& system : bench::boost_thread_jobs()) systems.push_back(system);

  std::vector<bench::Contender> contenders;
  for (const bench::JobContender& system : systems) {
    contenders.push_back(
        {system.name, [idle = system.idle_cpu_percent, load] { return idle(load); }});
  }
  contenders.front().aim = aim_percent;
  report.measure("8 workers asleep", contenders);
}
