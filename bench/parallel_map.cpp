// Question: what does an element cost in a parallel map, when all are cheap and when a few are
// dear?
#include <plait/futures.hpp>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "harness.hpp"
#include "tbb_peer.hpp"
#include "transform.hpp"

namespace {

using bench::CheapOrDear;
using bench::Grain;
using bench::NextToNothing;

constexpr int workers = 2;
constexpr std::size_t dear_share = 100;       // one element in so many is dear
constexpr std::size_t in_flight = 1'048'576;  // bounds the memory, keeps no worker waiting

std::vector<int> cheap_input(std::size_t count) {
  std::vector<int> input(count);
  std::iota(input.begin(), input.end(), 0);
  return input;
}

std::vector<int> dear_in_front(std::size_t count) {
  std::vector<int> input = cheap_input(count);
  for (std::size_t i = 0; i < count / dear_share; ++i) input[i] = -input[i] - 1;
  return input;
}

std::vector<int> dear_scattered(std::size_t count) {
  std::vector<int> input = cheap_input(count);
  for (std::size_t block = 0; block + dear_share <= count; block += dear_share) {
    const auto place =
        static_cast<std::uint32_t>(bench::scramble(static_cast<int>(block), 1)) % dear_share;
    input[block + place] = -input[block + place] - 1;
  }
  return input;
}

template <class Function>
double plait_map_nanoseconds(Function function, const std::vector<int>& in, std::vector<int>& out,
                             const plait::MapOptions& options) {
  plait::ThreadPoolExecutor pool(workers);
  for (int value : pool.map(function, std::vector<int>(100, 1))) bench::require(value != 0, "warm");
  return bench::nanoseconds_of([&] {
    auto place = out.begin();
    for (int value : pool.map(options, function, in)) *place++ = value;
  });
}

template <class Function>
double loop_nanoseconds(Function function, const std::vector<int>& in, std::vector<int>& out) {
  return bench::nanoseconds_of([&] { std::ranges::transform(in, out.begin(), function); });
}

struct Case {
  std::string name;
  std::vector<int> input;
  std::size_t chunksize;
  Grain grain;
  std::optional<double> aim;
};

// The vector for the results is there, and its pages are, before anybody's clock starts.
template <class Function>
void measure(bench::Report& report, Function function, const Case& load) {
  const std::vector<int>& in = load.input;
  std::vector<int> expected(in.size());
  loop_nanoseconds(function, in, expected);
  const auto per_element = [&](auto fill) {
    return [&in, &expected, fill] {
      std::vector<int> out(in.size(), 0);
      const double elapsed = fill(out);
      bench::require(out == expected, "the mapped elements");
      return elapsed / static_cast<double>(out.size());
    };
  };
  const auto ours = [&](std::optional<std::size_t> buffersize) {
    const plait::MapOptions options{.chunksize = load.chunksize, .buffersize = buffersize};
    return per_element(
        [=, &in](auto& out) { return plait_map_nanoseconds(function, in, out, options); });
  };
  const auto tbb = per_element([&](auto& out) {
    return bench::tbb_map_nanoseconds(function, in, out, workers, load.grain);
  });
  const auto loop = per_element([&](auto& out) { return loop_nanoseconds(function, in, out); });
  report.measure(load.name, {{"plait", ours(in_flight)},
                             {"oneTBB parallel_for", tbb, load.aim},
                             {"plait, no buffersize", ours({})},
                             {"one thread, a loop", loop}});
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Options options = bench::parse_options(argc, argv);
  const std::size_t many = options.quick ? 100'000 : 10'000'000;
  const std::size_t fewer = options.quick ? 20'000 : 1'000'000;
  bench::Report report(
      "parallel_map: " + std::to_string(many) + " elements from one vector into another, 2 threads",
      "ns an element", options);

  constexpr double aim = 1.1;
  constexpr auto chunks = plait::auto_chunksize;
  constexpr auto split = Grain::automatic;
  constexpr CheapOrDear work;
  measure(report, work, {"all cheap", cheap_input(many), chunks, split, aim});
  measure(report, work, {"1 % dear, scattered", dear_scattered(many), chunks, split, aim});
  measure(report, work, {"1 % dear, all in front", dear_in_front(many), chunks, split, aim});
  measure(report, NextToNothing(), {"next to nothing", cheap_input(many), chunks, split, {}});
  measure(report, work,
          {"each element a job (" + std::to_string(fewer) + ")",
           cheap_input(fewer),
           1,
           Grain::each_element_a_task,
           {}});
}
