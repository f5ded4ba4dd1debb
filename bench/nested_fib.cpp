// Question: what does a job cost that submits jobs to its own pool and waits for their results?
#include <plait/futures.hpp>

#include <string>

#include "fib.hpp"
#include "harness.hpp"
#include "tbb_peer.hpp"

namespace {

using bench::Shape;

int fib_both(plait::ThreadPoolExecutor& pool, int n) {
  if (n < 2) return n;
  const auto a = pool.submit([&pool, n] { return fib_both(pool, n - 1); });
  const auto b = pool.submit([&pool, n] { return fib_both(pool, n - 2); });
  return a.result() + b.result();
}

int fib_one(plait::ThreadPoolExecutor& pool, int n) {
  if (n < 2) return n;
  const auto a = pool.submit([&pool, n] { return fib_one(pool, n - 1); });
  const int b = fib_one(pool, n - 2);
  return a.result() + b;
}

double plait_fib_nanoseconds(int n, int workers, Shape shape) {
  plait::ThreadPoolExecutor pool(static_cast<std::size_t>(workers));
  const auto run = [&](int m) {
    const auto root = pool.submit([&pool, m, shape] {
      return shape == Shape::both_spawned ? fib_both(pool, m) : fib_one(pool, m);
    });
    return root.result();
  };
  run(10);
  int result = 0;
  const double elapsed = bench::nanoseconds_of([&] { result = run(n); });
  bench::require(result == bench::fib(n), "plait's fib");
  return elapsed;
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Options options = bench::parse_options(argc, argv);
  const int n = options.quick ? 15 : 27;
  bench::Report report("nested_fib: fib(" + std::to_string(n) + ") by submit() and result()", "ms",
                       options);

  const auto measure = [&](const char* name, int workers, Shape shape, std::optional<double> aim) {
    constexpr double in_milliseconds = 1e-6;
    report.measure(
        name,
        {{"plait", [=] { return plait_fib_nanoseconds(n, workers, shape) * in_milliseconds; }},
         {"oneTBB task_group",
          [=] { return bench::tbb_fib_nanoseconds(n, workers, shape) * in_milliseconds; }, aim}});
  };
  constexpr double aim = 1.5;
  measure("both children jobs, 2 workers", 2, Shape::both_spawned, aim);
  measure("one child a job, 2 workers", 2, Shape::one_spawned, aim);
  measure("both children jobs, 1 worker", 1, Shape::both_spawned, {});
  measure("one child a job, 1 worker", 1, Shape::one_spawned, {});
}
