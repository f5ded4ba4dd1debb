// The picture in state_word.hpp: every pair of phases, and every call on a state in every phase.
#include <doctest/doctest.h>

#include <iterator>
#include <plait/core/detail/future_state.hpp>
#include <plait/core/detail/state_word.hpp>
#include <plait/core/errors.hpp>
#include <string>

namespace plait::detail {
namespace {

constexpr Phase phases[] = {Phase::pending, Phase::running, Phase::settling, Phase::cancelled,
                            Phase::finished};

// A state that a test puts into any phase.
struct BareState final : FutureState {
  explicit BareState(Phase phase) : FutureState(nullptr, 1) {
    if (phase == Phase::running) start();
    if (phase == Phase::settling) settle();
    if (phase == Phase::cancelled) cancel();
    if (phase == Phase::finished) {
      settle();
      end(Phase::finished);
    }
  }
  Phase phase() const { return snapshot().phase(); }
};

TEST_SUITE_BEGIN("core/state_word");

TEST_CASE("transition_allowed: allows the arrows of the picture and no others") {
  // Rows: from; columns: to; both in the order of `phases`.
  constexpr bool allowed[std::size(phases)][std::size(phases)] = {
      {false, true, true, true, true},     {false, false, true, true, true},
      {true, true, false, false, true},    {false, false, false, false, false},
      {false, false, false, false, false},
  };
  for (std::size_t from = 0; from < std::size(phases); ++from) {
    for (std::size_t to = 0; to < std::size(phases); ++to) {
      CAPTURE(from);
      CAPTURE(to);
      CHECK(transition_allowed(phases[from], phases[to]) == allowed[from][to]);
    }
  }
}

TEST_CASE("is_final: holds for cancelled and finished, from which no arrow leads away") {
  for (const Phase from : phases) {
    bool leads_on = false;
    for (const Phase to : phases) leads_on |= transition_allowed(from, to);
    CHECK(is_final(from) == !leads_on);
  }
}

TEST_CASE("start, cancel, settle: each moves exactly the phases that the picture lets it move") {
  struct Row {
    Phase before, after_start, after_cancel, after_settle;
  };
  constexpr Row rows[] = {
      {Phase::pending, Phase::running, Phase::cancelled, Phase::settling},
      {Phase::running, Phase::running, Phase::running, Phase::settling},
      {Phase::settling, Phase::settling, Phase::settling, Phase::settling},
      {Phase::cancelled, Phase::cancelled, Phase::cancelled, Phase::cancelled},
      {Phase::finished, Phase::finished, Phase::finished, Phase::finished},
  };
  for (const Row& row : rows) {
    BareState started(row.before), cancelled(row.before), settled(row.before);
    CHECK(started.phase() == row.before);
    CHECK(started.start() == (row.before == Phase::pending));
    CHECK(started.phase() == row.after_start);
    CHECK(cancelled.cancel() == (row.after_cancel == Phase::cancelled));
    CHECK(cancelled.phase() == row.after_cancel);
    if (row.before == Phase::pending || row.before == Phase::running) {
      CHECK(settled.settle() == row.before);
    } else {
      CHECK_THROWS_AS(settled.settle(), InvalidStateError);
    }
    CHECK(settled.phase() == row.after_settle);
  }
}

TEST_CASE("unsettle: leads back to where settle came from") {
  for (const Phase origin : {Phase::pending, Phase::running}) {
    BareState state(origin);
    state.unsettle(state.settle());
    CHECK(state.phase() == origin);
  }
}

TEST_CASE("StateSnapshot: phase, flags and references do not touch each other") {
  StateWord word(3);
  CHECK(word.load().references() == 3);
  CHECK(word.load().phase() == Phase::pending);
  word.set(stop_requested);
  word.set(has_sleepers);
  auto seen = word.load();
  CHECK(word.replace(seen, seen.with(Phase::running).without(has_sleepers)));
  word.add_reference();
  CHECK(word.load().references() == 4);
  CHECK(word.load().phase() == Phase::running);
  CHECK(word.load().has(stop_requested));
  CHECK_FALSE(word.load().has(has_sleepers));
  CHECK(word.load().with_one_reference_less().references() == 3);
  CHECK_FALSE(word.drop_reference());
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::detail
