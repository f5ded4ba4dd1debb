// exit() and fork() while a pool lives: each scenario is a process of its own.
#include <doctest/doctest.h>

#include <string>

#include "../support/scenario.hpp"

namespace plait::test {
namespace {

void check(const Scenario& scenario) { check_scenario("pool_scenarios", scenario); }

TEST_SUITE_BEGIN("executors/exit_and_fork");

TEST_CASE("exit: waits for what a pool has accepted, wherever the pool lives") {
  const Scenario scenarios[] = {
      {"static_pool_is_destroyed", "apple\napple\napple\n", 0},
      {"exit_with_pool_on_the_stack", "apple\napple\n", 4},
      {"return_while_job_runs", "apple\n", 0},
  };
  for (const auto& scenario : scenarios) check(scenario);
}

TEST_CASE("exit: called by a job ends the process with its status after the other jobs") {
  check({"exit_in_job", "apple\n", 3});
  check({"exit_in_the_only_worker", "", 3});
}

TEST_CASE("exit: a submit that comes during it is run or refused, never lost") {
  const auto result = run_program("pool_scenarios", {"submit_during_exit"});
  CHECK((result.out == "accepted\n" || result.out == "refused\n"));
  CHECK(result.exit_status == 0);
}

TEST_CASE("fork: in the child submit and waiting throw and the parent goes on") {
  check({"fork_in_main", "child exited with 0\nparent goes on with 7\n", 0});
  check({"fork_in_job_and_submit", "child exited with 0\nparent goes on with 7\n", 0});
}

TEST_CASE("fork: the child may make a pool of its own") {
  check({"child_makes_a_pool_of_its_own", "child exited with 11\n", 0});
}

TEST_CASE("fork: in the child waiting throws, shutdown returns and nothing runs") {
  check({"fork_while_jobs_wait", "child exited with 0\nparent ran 3\n", 0});
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
