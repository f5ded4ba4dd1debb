// Peer of parallel_map and nested_fib: oneTBB's parallel_for and task_group.
#include "tbb_peer.hpp"

#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>
#include <tbb/partitioner.h>
#include <tbb/task_group.h>

#include "fib.hpp"
#include "harness.hpp"
#include "tbb_threads.hpp"
#include "transform.hpp"

namespace bench {
namespace {

using Range = tbb::blocked_range<std::size_t>;

int fib_both(int n) {
  if (n < 2) return n;
  int a = 0;
  int b = 0;
  tbb::task_group group;
  group.run([&a, n] { a = fib_both(n - 1); });
  group.run([&b, n] { b = fib_both(n - 2); });
  group.wait();
  return a + b;
}

int fib_one(int n) {
  if (n < 2) return n;
  int a = 0;
  tbb::task_group group;
  group.run([&a, n] { a = fib_one(n - 1); });
  const int b = fib_one(n - 2);
  group.wait();
  return a + b;
}

}  // namespace

template <class Function>
double tbb_map_nanoseconds(Function function, const std::vector<int>& in, std::vector<int>& out,
                           int threads, Grain grain) {
  const auto body = [&in, &out, function](const Range& range) {
    for (std::size_t i = range.begin(); i != range.end(); ++i) out[i] = function(in[i]);
  };
  const Range all(0, in.size(), 1);
  return TbbThreads(threads).nanoseconds_of([&] {
    if (grain == Grain::automatic) {
      tbb::parallel_for(all, body);
    } else {
      tbb::parallel_for(all, body, tbb::simple_partitioner());
    }
  });
}
template double tbb_map_nanoseconds(CheapOrDear, const std::vector<int>&, std::vector<int>&, int,
                                    Grain);
template double tbb_map_nanoseconds(NextToNothing, const std::vector<int>&, std::vector<int>&, int,
                                    Grain);

double tbb_fib_nanoseconds(int n, int threads, Shape shape) {
  int result = 0;
  const double elapsed = TbbThreads(threads).nanoseconds_of(
      [&] { result = shape == Shape::both_spawned ? fib_both(n) : fib_one(n); });
  require(result == fib(n), "oneTBB's fib");
  return elapsed;
}

}  // namespace bench
