// The pool's queues by themselves: every job comes out once, in the order that each queue promises.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <plait/core/detail/future_state.hpp>
#include <vector>

#include "../support/process_probe.hpp"
#include "executors/inbox.hpp"
#include "executors/job_deque.hpp"
#include "executors/priority_lanes.hpp"

namespace plait::test {
namespace {

// A job that is only counted.
struct Token final : detail::FutureState {
  Token() : FutureState(nullptr, 1) {}
  std::atomic<int> taken{0};
};

int take(detail::FutureState* job) {
  if (job == nullptr) return 0;
  ++static_cast<Token*>(job)->taken;
  return 1;
}

bool all_taken_once(const std::deque<Token>& tokens) {
  return std::ranges::all_of(tokens, [](const Token& token) { return token.taken == 1; });
}

TEST_SUITE_BEGIN("executors/work_queues");

TEST_CASE("WorkStealingDeque: the owner takes the newest, thieves the oldest, also after growing") {
  constexpr std::size_t count = 1000;
  std::deque<Token> tokens(count);
  detail::JobDeque jobs;
  for (auto& token : tokens) jobs.push(&token);
  CHECK(jobs.size() == count);
  for (std::size_t i = 0; i < count / 2; ++i) {
    CHECK(jobs.pop() == &tokens[count - 1 - i]);
    CHECK(jobs.steal() == &tokens[i]);
  }
  CHECK(jobs.pop() == nullptr);
  CHECK(jobs.steal() == nullptr);
  CHECK(jobs.size() == 0);
}

TEST_CASE("WorkStealingDeque: owner and two thieves share out 200,000 jobs, each once") {
  constexpr int rounds = 200;
  std::deque<Token> tokens(1000 * rounds);
  detail::JobDeque jobs;
  std::atomic<int> taken = 0;
  const int all = static_cast<int>(tokens.size());
  const auto thieve = [&] {
    while (taken < all) taken += take(jobs.steal());
  };
  ProbedThread first(thieve), second(thieve);
  auto next = tokens.begin();
  for (int round = 0; round < rounds; ++round) {
    for (int i = 0; i < 1000; ++i) jobs.push(&*next++);
    for (int i = 0; i < 600; ++i) taken += take(jobs.pop());
  }
  while (taken < all) taken += take(jobs.pop());
  first.join();
  second.join();
  CHECK(all_taken_once(tokens));
}

TEST_CASE("Inbox: gives jobs in the order of arrival, and in batches to a worker's own queue") {
  std::deque<Token> tokens(500);
  detail::Inbox inbox;
  detail::JobDeque own;
  for (auto& token : tokens) CHECK(inbox.push(token));
  CHECK(inbox.size() == 500);
  for (auto& token : tokens) {
    if (own.size() == 0) inbox.refill(own, 1);
    CHECK(own.steal() == &token);
  }
  CHECK(inbox.empty());
}

TEST_CASE("Inbox: once closed refuses jobs and keeps those it has") {
  std::deque<Token> tokens(3);
  detail::Inbox inbox;
  CHECK(inbox.push(tokens[0]));
  CHECK(inbox.push(tokens[1]));
  inbox.close();
  inbox.close();
  CHECK_FALSE(inbox.push(tokens[2]));
  CHECK(inbox.take_one() == &tokens[0]);
  inbox.put_back(tokens[0]);
  CHECK(inbox.take_one() == &tokens[0]);
  CHECK(inbox.take_one() == &tokens[1]);
  CHECK(inbox.take_one() == nullptr);
  CHECK(inbox.empty());
}

TEST_CASE("Inbox: two submitters and two workers pass 100,000 jobs on, each once") {
  std::deque<Token> tokens(100'000);
  detail::Inbox inbox;
  std::atomic<std::size_t> next = 0;
  std::atomic<int> taken = 0;
  const auto submit = [&] {
    for (auto i = next++; i < tokens.size(); i = next++) inbox.push(tokens[i]);
  };
  const auto work = [&] {
    detail::JobDeque own;
    while (taken < 100'000) {
      if (own.size() == 0) inbox.refill(own, 2);
      taken += take(own.steal());
    }
  };
  {
    ProbedThread first(submit), second(submit), third(work), fourth(work);
  }
  CHECK(all_taken_once(tokens));
}

TEST_CASE("PriorityLanes: gives the highest first, the oldest on demand, and none once empty") {
  std::deque<Token> tokens(4);
  detail::PriorityLanes lanes;
  const int priorities[] = {-1, 4, 4, 9};
  for (std::size_t i = 0; i < 4; ++i) CHECK(lanes.push(tokens[i], priorities[i]));
  CHECK(lanes.size() == 4);
  CHECK(lanes.pop_urgent() == &tokens[3]);
  CHECK(lanes.pop_oldest() == &tokens[0]);
  CHECK(lanes.pop_highest() == &tokens[1]);
  CHECK(lanes.pop_urgent() == &tokens[2]);
  CHECK(lanes.pop_urgent() == nullptr);
  CHECK(lanes.pop_highest() == nullptr);
  lanes.close();
  CHECK_FALSE(lanes.push(tokens[0], 1));
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
