// CPython's test_staggered, and the race of test_eager_task_factory.
#include <doctest/doctest.h>

#include "support/loop_work.hpp"

namespace plait::test {
namespace {

using Candidates = std::vector<std::function<Coroutine<int>()>>;
using Result = aio::StaggeredResult<int>;

TEST_SUITE_BEGIN("conformance/test_staggered");

// Each error as 'v' for none, 'c' for cancelled, 'e' for an error.
std::string kinds(const Result& result) {
  std::string text;
  for (const auto& error : result.exceptions) {
    try {
      if (error) std::rethrow_exception(error);
      text += 'v';
    } catch (const CancelledError&) {
      text += 'c';
    } catch (const WorkError&) {
      text += 'e';
    }
  }
  return text;
}

Result race(Candidates candidates, std::optional<Duration> delay = {}) {
  return run_virtual(aio::staggered_race(std::move(candidates), delay));
}

TEST_CASE("staggered_race: without candidates nobody wins [cpython test_staggered.test_empty]") {
  const auto result = race({});
  CHECK_FALSE(result.winner);
  CHECK_FALSE(result.index);
  CHECK(result.exceptions.empty());
}

TEST_CASE(
    "staggered_race: after a success no other starts [cpython "
    "test_staggered.test_one_successful]") {
  const auto result = race({[] { return sleep_then(Duration::zero(), 10); },
                            [] { return sleep_then(Duration::zero(), 20); }});
  CHECK(result.winner == 10);
  CHECK(result.index == 0U);
  CHECK(kinds(result) == "v");
}

TEST_CASE(
    "staggered_race: a failure starts the next at once [cpython "
    "test_staggered.test_first_error_second_successful]") {
  const auto result = race({[] { return fail_after(Duration::zero()); },
                            [] { return sleep_then(Duration::zero(), 20); }},
                           seconds(1000));
  CHECK(result.winner == 20);
  CHECK(result.index == 1U);
  CHECK(kinds(result) == "ev");
}

TEST_CASE(
    "staggered_race: one that takes too long gets a rival [cpython "
    "test_staggered.test_first_timeout_second_successful]") {
  const auto result = race(
      {[] { return sleep_then(seconds(1), 10); }, [] { return sleep_then(Duration::zero(), 20); }},
      milliseconds(100));
  CHECK(result.winner == 20);
  CHECK(result.index == 1U);
  CHECK(kinds(result) == "cv");
}

TEST_CASE("staggered_race: all may fail [cpython test_staggered.test_none_successful]") {
  for (const std::optional<Duration> delay : {std::optional<Duration>(), {seconds(1)}}) {
    const auto result = race(
        {[] { return fail_after(Duration::zero()); }, [] { return fail_after(Duration::zero()); }},
        delay);
    CHECK_FALSE(result.winner);
    CHECK_FALSE(result.index);
    CHECK(kinds(result) == "ee");
  }
}

TEST_CASE(
    "staggered_race: the losers are cancelled, their errors kept [cpython "
    "test_eager_task_factory.test_staggered_race_with_eager_tasks]") {
  const auto result =
      race({[] { return sleep_then(seconds(1000), 0); }, [] { return sleep_then(seconds(1), 1); },
            [] { return fail_after(milliseconds(10)); }},
           milliseconds(250));
  CHECK(result.winner == 1);
  CHECK(result.index == 1U);
  CHECK(kinds(result) == "cve");
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
