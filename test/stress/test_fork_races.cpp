// Random trees of forks on small pools that are resized, shut down and asked to stop meanwhile:
// every tree ends once, as it should, and leaves nothing behind.
#include <doctest/doctest.h>

#include <atomic>
#include <cstdio>
#include <memory>
#include <optional>
#include <plait/aio.hpp>
#include <plait/futures.hpp>
#include <string>
#include <thread>
#include <vector>

#include "../support/process_probe.hpp"
#include "../support/seeded.hpp"
#include "fork_trees.hpp"

namespace plait::test {
namespace {

constexpr int programs = 1000;

// One tree, and what may disturb it. Its future is empty if the pool had been shut down before.
struct Tree {
  Tree(Node root, bool in_job) : root(root), in_job(in_job) { forecast.add(root); }

  const Node root;
  const bool in_job;  // which blocks for it
  Forecast forecast;
  Future<long> future;
  std::atomic<int> visits{0};   // of its nodes
  std::atomic<int> endings{0};  // done-callbacks
  bool stopped = false;
};

struct Program {
  explicit Program(std::uint64_t seed)
      : engine(seed), forest(std::make_unique<Forest>(engine(), 1 + pick(engine, 5))) {
    for (auto left = 1 + pick(engine, 4); left > 0; --left) {
      const int depth = static_cast<int>(pick(engine, 5));
      const bool in_job = pick(engine, 3) == 0;
      trees.push_back(std::make_unique<Tree>(Node{engine(), depth}, in_job));
    }
  }

  Engine engine;
  std::unique_ptr<Forest> forest;
  std::vector<std::unique_ptr<Tree>> trees;
  bool shut_down = false, cancelled_queued = false;
};

// As a coroutine, or inside of a job that blocks for it.
void plant_one(Program& program, Tree& tree) {
  Forest& forest = *program.forest;
  try {
    const auto root = [&forest, &tree] { return plant(forest, tree.visits, tree.root); };
    tree.future = tree.in_job ? forest.pool.submit([root] { return root().result(); }) : root();
    tree.future.add_done_callback([&tree](const Future<long>&) { ++tree.endings; });
  } catch (const RuntimeError&) {
    CHECK(program.shut_down);
  }
}

void disturb(Program& program) {
  Engine& engine = program.engine;
  dawdle(engine, 50'000);
  Tree& tree = *program.trees[pick(engine, program.trees.size())];
  switch (pick(engine, 8)) {
    case 0:
    case 1:
    case 2:
      tree.stopped = true;
      if (tree.future.valid()) tree.future.request_stop();
      break;
    case 3:
      program.shut_down = true;
      program.cancelled_queued = program.cancelled_queued || pick(engine, 2) == 0;
      program.forest->pool.shutdown({.wait = false, .cancel_futures = program.cancelled_queued});
      break;
    default:
      program.forest->pool.resize(1 + pick(engine, 5));
  }
}

void plant_and_disturb(Program& program) {
  auto disturbances = pick(program.engine, 6);
  for (auto& tree : program.trees) {
    plant_one(program, *tree);
    if (disturbances > 0 && pick(program.engine, 3) == 0) {
      disturb(program);
      --disturbances;
    }
  }
  for (; disturbances > 0; --disturbances) disturb(program);
}

// How a tree ended, if it may have ended so.
std::string ending_of(const Program& program, const Tree& tree) {
  const bool submits = tree.forecast.submits || tree.in_job;
  const bool never_started = program.cancelled_queued && (tree.visits == 0 || submits);
  try {
    const long value = tree.future.result(case_deadline() / 3);
    if (value != tree.forecast.value) return "wrong value";
    return tree.forecast.throws ? "value in spite of an error" : "";
  } catch (const TestError&) {
    return tree.forecast.throws ? "" : "error out of nothing";
  } catch (const CancelledError&) {
    return tree.stopped || never_started ? "" : "cancelled by nobody";
  } catch (const DeadlockError& error) {
    return error.what();
  } catch (const TimeoutError&) {
    std::fprintf(stderr, "never ended\n");  // and the pool's destructor will not, either
    return "never ended";
  } catch (const RuntimeError& error) {
    return program.shut_down && submits ? "" : error.what();
  }
}

void run_program(std::uint64_t seed) {
  Program program(seed);
  plant_and_disturb(program);
  for (const auto& tree : program.trees) {
    if (!tree->future.valid()) continue;
    REQUIRE(ending_of(program, *tree) == "");
  }
  program.forest->pool.shutdown();
  for (const auto& tree : program.trees) CHECK(tree->endings == (tree->future.valid() ? 1 : 0));
  CHECK(program.forest->entered == program.forest->left);
  CHECK(program.forest->frames.live == 0);
}

TEST_SUITE("stress/fork_races") {
  TEST_CASE("fork_join: random trees end once and as they should, whatever disturbs them") {
    Engine engine = seeded_engine("fork races");
    const auto threads = thread_count();
    for (int program = 0; program < programs; ++program) {
      const std::uint64_t seed = engine();
      INFO("program of seed " << seed);
      run_program(seed);
    }
    CHECK(eventually([&] { return thread_count() == threads; }));
  }
}

}  // namespace
}  // namespace plait::test
