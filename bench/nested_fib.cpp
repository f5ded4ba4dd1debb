// Question: what does a job cost that submits jobs to its own pool and waits for their results?
#include <plait/futures.hpp>

#include <functional>
#include <optional>
#include <string>

#include "fib.hpp"
#include "harness.hpp"
#include "tbb_peer.hpp"

namespace {

using bench::Shape;

using Fib = int (*)(plait::ThreadPoolExecutor&, int);

// The operands of one + would be read in whatever order the compiler likes; here the order counts.
int fib_older_first(plait::ThreadPoolExecutor& pool, int n) {
  if (n < 2) return n;
  const auto older = pool.submit([&pool, n] { return fib_older_first(pool, n - 1); });
  const auto newer = pool.submit([&pool, n] { return fib_older_first(pool, n - 2); });
  const int a = older.result();
  return a + newer.result();
}

int fib_newer_first(plait::ThreadPoolExecutor& pool, int n) {
  if (n < 2) return n;
  const auto older = pool.submit([&pool, n] { return fib_newer_first(pool, n - 1); });
  const auto newer = pool.submit([&pool, n] { return fib_newer_first(pool, n - 2); });
  const int b = newer.result();
  return b + older.result();
}

int fib_one(plait::ThreadPoolExecutor& pool, int n) {
  if (n < 2) return n;
  const auto a = pool.submit([&pool, n] { return fib_one(pool, n - 1); });
  const int b = fib_one(pool, n - 2);
  return a.result() + b;
}

double plait_fib_nanoseconds(Fib fib, int n, int workers) {
  plait::ThreadPoolExecutor pool(static_cast<std::size_t>(workers));
  const auto run = [&](int m) { return pool.submit(fib, std::ref(pool), m).result(); };
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

  constexpr double aim = 1.5;
  constexpr double in_milliseconds = 1e-6;
  for (const int workers : {2, 1}) {
    const auto measure = [&](const std::string& name, Fib fib, Shape shape) {
      const auto ours = [=] { return plait_fib_nanoseconds(fib, n, workers) * in_milliseconds; };
      const auto tbb = [=] {
        return bench::tbb_fib_nanoseconds(n, workers, shape) * in_milliseconds;
      };
      report.measure(
          (workers == 1 ? "1 worker: " : std::to_string(workers) + " workers: ") + name,
          {{"plait", ours},
           {"oneTBB task_group", tbb, workers == 2 ? std::optional(aim) : std::nullopt}});
    };
    measure("2 jobs, newer first", fib_newer_first, Shape::both_spawned);
    measure("2 jobs, older first", fib_older_first, Shape::both_spawned);
    measure("1 job, 1 call", fib_one, Shape::one_spawned);
  }
}
