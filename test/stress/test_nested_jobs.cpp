// Jobs that submit and wait for jobs, in random trees and graphs: no hang, no false alarm.
#include <doctest/doctest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <plait/futures.hpp>
#include <ranges>
#include <vector>

#include "../support/gate.hpp"
#include "../support/prepared_futures.hpp"
#include "../support/process_probe.hpp"
#include "../support/seeded.hpp"

namespace plait::test {
namespace {

// Sums the results in one of the ways there are to wait.
int sum_of(const std::vector<Future<int>>& futures, std::size_t way) {
  int sum = 0;
  switch (way) {
    case 0:
      for (const auto& future : futures) sum += future.result();
      break;
    case 1:
      for (const auto& future : futures | std::views::reverse) sum += future.result();
      break;
    case 2:
      for (const auto& future : as_completed(futures)) sum += future.result();
      break;
    default:
      for (const auto& future : wait(futures).done) sum += future.result();
  }
  return sum;
}

// The number of nodes of a random tree, counted by one job a node.
int count_tree(Executor& pool, std::uint64_t seed, int depth) {
  Engine engine(seed);
  if (depth == 0) return 1;
  std::vector<Future<int>> children;
  for (auto left = pick(engine, 5); left > 0; --left) {
    const SubmitOptions options{.priority = static_cast<int>(pick(engine, 3))};
    children.push_back(pool.submit(options, count_tree, std::ref(pool), engine(), depth - 1));
  }
  return 1 + sum_of(children, pick(engine, 4));
}

// The edges of a random graph of jobs: whom each one waits for, and how.
struct Plan {
  std::vector<std::vector<std::size_t>> targets;
  std::vector<std::size_t> ways;

  Plan(Engine& engine, std::size_t jobs, bool acyclic) : targets(jobs), ways(jobs) {
    for (std::size_t job = 0; job < jobs; ++job) {
      ways[job] = pick(engine, 4);
      for (auto edges = pick(engine, 4); edges > 0; --edges) {
        if (acyclic && job + 1 == jobs) break;
        targets[job].push_back(acyclic ? job + 1 + pick(engine, jobs - job - 1)
                                       : pick(engine, jobs));
      }
    }
  }
};

// Runs the plan on the pools, job by job in turn; counts the jobs that met a deadlock.
int deadlocks(const Plan& plan, const std::vector<ThreadPoolExecutor*>& pools) {
  Promise<void> all_submitted;
  const auto start = all_submitted.get_future();
  std::vector<Future<int>> jobs(plan.targets.size());
  for (std::size_t job = 0; job < jobs.size(); ++job) {
    jobs[job] = pools[job % pools.size()]->submit([&, job] {
      start.result();
      std::vector<Future<int>> targets;
      for (const auto target : plan.targets[job]) targets.push_back(jobs[target]);
      return 1 + sum_of(targets, plan.ways[job]);
    });
  }
  all_submitted.set_result();
  int count = 0;
  for (const auto& job : jobs) {
    try {
      job.result();
    } catch (const DeadlockError&) {
      ++count;
    }
  }
  return count;
}

// How many jobs wait, directly or by way of others, for a job that waits for itself: no other one
// can fail.
int jobs_above_a_ring(const Plan& plan) {
  const std::size_t jobs = plan.targets.size();
  std::vector<std::vector<bool>> reaches(jobs, std::vector<bool>(jobs));
  for (std::size_t job = 0; job < jobs; ++job) {
    for (const auto target : plan.targets[job]) reaches[job][target] = true;
  }
  for (std::size_t via = 0; via < jobs; ++via) {
    for (std::size_t from = 0; from < jobs; ++from) {
      for (std::size_t to = 0; to < jobs; ++to) {
        if (reaches[from][via] && reaches[via][to]) reaches[from][to] = true;
      }
    }
  }
  int count = 0;
  for (std::size_t job = 0; job < jobs; ++job) {
    bool above = false;
    for (std::size_t other = 0; other < jobs; ++other) {
      above |= reaches[other][other] && (other == job || reaches[job][other]);
    }
    count += above;
  }
  return count;
}

TEST_SUITE_BEGIN("stress/nested_jobs");

TEST_CASE("result: random trees of jobs give the same count on 1 to 8 workers and in place") {
  auto engine = seeded_engine("trees");
  for (int round = 0; round < 40; ++round) {
    const std::uint64_t seed = engine();
    InlineExecutor in_place;
    const int expected = count_tree(in_place, seed, 6);
    for (const std::size_t workers : {1, 2, 3, 8}) {
      const std::size_t max_queue = pick(engine, 2) * (1 + pick(engine, 3));
      ThreadPoolExecutor pool({.max_workers = workers, .max_queue = max_queue});
      const auto root = pool.submit(count_tree, std::ref(static_cast<Executor&>(pool)), seed, 6);
      CHECK(root.result() == expected);
    }
  }
}

TEST_CASE("result: random waits without a ring never end in a deadlock") {
  auto engine = seeded_engine("acyclic waits");
  for (int round = 0; round < 1500; ++round) {
    ThreadPoolExecutor pool(1 + pick(engine, 4));
    CHECK(deadlocks(Plan(engine, 2 + pick(engine, 12), true), {&pool}) == 0);
  }
}

TEST_CASE("result: random waits with rings all end, and those above a ring fail, no others") {
  auto engine = seeded_engine("waits with rings");
  for (int round = 0; round < 1500; ++round) {
    const Plan plan(engine, 2 + pick(engine, 8), false);
    ThreadPoolExecutor pool(1 + pick(engine, 4));
    CHECK(deadlocks(plan, {&pool}) == jobs_above_a_ring(plan));
  }
}

TEST_CASE("result: random waits across two pools all end") {
  auto engine = seeded_engine("waits across pools");
  for (int round = 0; round < 1500; ++round) {
    const Plan plan(engine, 2 + pick(engine, 8), false);
    ThreadPoolExecutor first(1 + pick(engine, 3)), second(1 + pick(engine, 3));
    CHECK(deadlocks(plan, {&first, &second}) >= jobs_above_a_ring(plan));
  }
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
