// Question: what does it cost to fork and join very many very small pieces of work?
#include <string>
#include <vector>

#include "fork_join_contender.hpp"
#include "harness.hpp"

namespace {

using bench::ForkJoinContender;

constexpr double in_milliseconds = 1e-6;
constexpr double aim_of_more_workers = 1.3;  // of two

struct Problem {
  const char* name;
  double (*ForkJoinContender::*solve)(int size, int threads);
  int size;
  int quick_size;
  double aim;  // of oneTBB
};

constexpr Problem problems[] = {
    {"fib", &ForkJoinContender::fib, 34, 18, 0.3},
    {"skynet", &ForkJoinContender::skynet, 7, 4, 0.3},
    {"nqueens", &ForkJoinContender::nqueens, 12, 7, 0.75},
};

void measure(bench::Report& report, const Problem& problem, int size) {
  const std::string title = std::string(problem.name) + "(" + std::to_string(size) + "), threads: ";
  const auto sample = [&](const ForkJoinContender& system, int threads) {
    return [=, solve = system.*problem.solve] { return solve(size, threads) * in_milliseconds; };
  };
  const ForkJoinContender ours = bench::plait_fork_join();
  const ForkJoinContender theirs[] = {bench::tbb_task_group(), bench::tbb_task_group_run_and_wait(),
                                      bench::tbb_parallel_invoke()};
  for (const int threads : {1, 2}) {
    std::vector<bench::Contender> contenders{{ours.name, sample(ours, threads)}};
    for (const ForkJoinContender& peer : theirs) {
      if (peer.*problem.solve == nullptr) continue;
      contenders.push_back({peer.name, sample(peer, threads), problem.aim});
    }
    report.measure(title + std::to_string(threads), contenders);
  }
  for (const int threads : {4, 8}) {
    report.measure(title + std::to_string(threads),
                   {{ours.name, sample(ours, threads)},
                    {ours.name + ", 2 threads", sample(ours, 2), aim_of_more_workers}});
  }
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Options options = bench::parse_options(argc, argv);
  bench::Report report("fork_join: each call of fib, node of skynet and placed queen is a job",
                       "ms", options);
  for (const Problem& problem : problems) {
    measure(report, problem, options.quick ? problem.quick_size : problem.size);
  }
}
