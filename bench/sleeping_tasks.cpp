// Question: what does a sleeping task cost, its coroutine, its timer and its handle included?
#include <unistd.h>

#include <fstream>
#include <string>

#include "harness.hpp"
#include "in_child.hpp"
#include "loop_contender.hpp"

namespace {

double resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  double total = 0, resident = 0;
  statm >> total >> resident;
  return resident * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

using Sleepers = bench::SleepCost (*)(const bench::SleepLoad&);

// In a process of its own, so that none finds memory that another has left.
bench::SleepCost cost_of(Sleepers run, std::size_t tasks) {
  return bench::in_child([&] { return run({tasks, &resident_bytes}); });
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Options options = bench::parse_options(argc, argv, {.repeat = 2});
  const std::size_t tasks = options.quick ? 10'000 : 1'000'000;
  bench::Report report("sleeping_tasks: " + std::to_string(tasks) + " tasks that sleep for 1 s",
                       "a task", options);
  const auto bytes = [tasks](Sleepers run) {
    return [=] { return cost_of(run, tasks).bytes_per_task; };
  };
  const auto seconds = [tasks](Sleepers run) {
    return [=] { return cost_of(run, tasks).seconds; };
  };
  report.measure("resident bytes", {{"plait", bytes(&bench::plait_sleepers), 300.0},
                                    {"Boost.Asio", bytes(&bench::asio_sleepers)}});
  report.measure("seconds in all, sleep left out",
                 {{"plait", seconds(&bench::plait_sleepers), 1.0},
                  {"Boost.Asio", seconds(&bench::asio_sleepers)}});
}
