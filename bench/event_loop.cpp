// Question: what does a loop's own work cost, beside what the program does on it?
#include <optional>
#include <string>

#include "harness.hpp"
#include "loop_contender.hpp"

namespace {

using Load = double (*bench::LoopContender::*)(std::size_t);

struct Case {
  const char* name;
  Load load;
  std::size_t count;
  std::optional<double> ours;
  std::optional<double> of_asio;
};

constexpr Case cases[] = {
    {"yield", &bench::LoopContender::yields, 5'000'000, {}, 0.15},
    {"await a trivial coroutine", &bench::LoopContender::awaits, 10'000'000, {}, 0.6},
    {"create_task and gather", &bench::LoopContender::spawns, 500'000, {}, 0.12},
    {"call_later and cancel", &bench::LoopContender::timers_cancelled, 200'000, {}, 0.25},
    {"timers that expire", &bench::LoopContender::timers_expired, 200'000, {}, 0.25},
    {"call_soon_threadsafe", &bench::LoopContender::posts, 1'000'000, 100.0, {}},
    {"Queue put and get", &bench::LoopContender::queue_items, 2'000'000, 60.0, {}},
};

}  // namespace

int main(int argc, char** argv) {
  const bench::Options options = bench::parse_options(argc, argv);
  bench::Report report("event_loop: one thread, but for call_soon_threadsafe", "ns", options);
  const bench::LoopContender ours = bench::plait_loop(), asio = bench::asio_loop();
  for (const Case& one : cases) {
    const std::size_t count = options.quick ? one.count / 1000 : one.count;
    report.measure(one.name, {{ours.name, [&] { return (ours.*one.load)(count); }, one.ours},
                              {asio.name, [&] { return (asio.*one.load)(count); }, one.of_asio}});
  }
}
