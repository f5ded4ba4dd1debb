// How a program becomes one whose pools can start workers, and how deep pools may be nested.
#include <doctest/doctest.h>

#include <string>

#include <plait/executors/process_pool_executor.hpp>

#include "../support/log_capture.hpp"
#include "../support/nothing_left.hpp"
#include "../support/scenario.hpp"

namespace plait::test {
namespace {

constexpr auto limit = 20s;

// Runs in: a worker in a worker in a worker...
int nested(int levels) {
  if (levels == 0) return 0;
  ProcessPoolExecutor pool(1);
  return 1 + pool.submit(nested, levels - 1).result(limit);
}

TEST_SUITE_BEGIN("executors/process_bootstrap");

TEST_CASE("submit: without a hook it says what to do, and makes neither process nor thread") {
  const auto result = run_program("process_without_hook", {"without"});
  CHECK(holds(result.out, "process_bootstrap"));
  CHECK(holds(result.out, "1 thread, no child"));
  CHECK(result.err == "");
  CHECK(result.exit_status == 0);
}

TEST_CASE("process_bootstrap: in main's first line it makes pools work, those of statics too") {
  check_scenario("process_without_hook",
                 {"with", "static objects: refused, refused in worker\n42\n", 0});
}

TEST_CASE_FIXTURE(NothingLeft, "submit: pools in workers work ten levels deep") {
  CHECK(nested(1) == 1);
  CHECK(nested(10) == 10);
}

TEST_CASE_FIXTURE(NothingLeft, "submit: an eleventh level is refused") {
  const auto text = text_of<RuntimeError>([] { nested(11); });
  CHECK(holds(text, "nested 10 deep"));
  CHECK(text_of<RuntimeError>([] { nested(100); }) == text);
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
