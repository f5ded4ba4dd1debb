// request_stop(): through std::stop_token, and at Boost.Thread's interruption points in legacy
// code.
#include <doctest/doctest.h>

#include <atomic>
#include <boost/thread/condition_variable.hpp>
#include <boost/thread/thread.hpp>
#include <condition_variable>
#include <mutex>
#include <plait/futures.hpp>
#include <stop_token>

#include "../support/gate.hpp"
#include "../support/log_capture.hpp"
#include "../support/process_probe.hpp"

namespace plait::test {
namespace {

void run_until_interrupted() {
  for (;;) {
    boost::this_thread::interruption_point();
    boost::this_thread::yield();
  }
}

// Blocks for good in one of Boost's interruptible waits.
void block_until_interrupted() {
  boost::mutex mutex;
  boost::condition_variable never;
  boost::unique_lock<boost::mutex> lock(mutex);
  for (;;) never.wait(lock);
}

void check_next_job_is_spared(ThreadPoolExecutor& pool) {
  CHECK_NOTHROW(pool.submit([] { boost::this_thread::interruption_point(); }).result());
}

TEST_SUITE_BEGIN("executors/interruption");

TEST_CASE("request_stop: a running job sees it in its stop token") {
  Gate gate;
  ThreadPoolExecutor pool(1);
  const auto job = pool.submit([&](std::stop_token token) {
    gate.pass();
    return token.stop_requested();
  });
  gate.wait_for_arrivals(1);
  CHECK(job.request_stop());
  CHECK(job.running());
  CHECK(job.request_stop());
  gate.open();
  CHECK(job.result());
  CHECK_FALSE(job.cancelled());
  CHECK_FALSE(job.request_stop());
}

TEST_CASE("request_stop: wakes a job that waits with its stop token") {
  std::mutex mutex;
  std::condition_variable_any never;
  Gate gate;
  gate.open();
  ThreadPoolExecutor pool(1);
  const auto job = pool.submit([&](std::stop_token token) {
    gate.pass();
    std::unique_lock lock(mutex);
    never.wait(lock, token, [] { return false; });
    if (token.stop_requested()) throw CancelledError("asked to");
  });
  gate.wait_for_arrivals(1);
  CHECK(job.request_stop());
  job.wait();
  CHECK(job.cancelled());
  CHECK(text_of<CancelledError>([&] { job.result(); }) == "asked to");
}

TEST_CASE("request_stop: a job that has not started is cancelled and never runs") {
  Gate gate;
  std::atomic<bool> ran = false;
  ThreadPoolExecutor pool(1);
  pool.submit([&] { gate.pass(); });
  const auto queued = pool.submit([&](std::stop_token) { ran = true; });
  CHECK(queued.request_stop());
  CHECK(queued.cancelled());
  gate.open();
  pool.shutdown();
  CHECK_FALSE(ran);
}

TEST_CASE("request_stop: ends legacy code at an interruption point, cancelled") {
  for (auto* legacy : {run_until_interrupted, block_until_interrupted}) {
    Gate gate;
    gate.open();
    ThreadPoolExecutor pool(1);
    const auto job = pool.submit([&] {
      gate.pass();
      legacy();
    });
    gate.wait_for_arrivals(1);
    CHECK(job.request_stop());
    job.wait();
    CHECK(job.cancelled());
    CHECK_THROWS_AS(job.result(), CancelledError);
    check_next_job_is_spared(pool);
  }
}

TEST_CASE("request_stop: legacy code that never looks ends as it would have") {
  Gate gate;
  ThreadPoolExecutor pool(1);
  const auto job = pool.submit([&] {
    gate.pass();
    return 4;
  });
  gate.wait_for_arrivals(1);
  job.request_stop();
  gate.open();
  CHECK(job.result() == 4);
  check_next_job_is_spared(pool);
}

TEST_CASE("request_stop: respects boost's disable_interruption") {
  Gate gate;
  ThreadPoolExecutor pool(1);
  const auto job = pool.submit([&] {
    const boost::this_thread::disable_interruption shielded;
    gate.pass();
    boost::this_thread::interruption_point();
    return 5;
  });
  gate.wait_for_arrivals(1);
  job.request_stop();
  gate.open();
  CHECK(job.result() == 5);
  check_next_job_is_spared(pool);
}

TEST_CASE("request_stop: racing with the job's end never reaches the next job") {
  ThreadPoolExecutor pool(1);
  for (int round = 0; round < 2000; ++round) {
    const auto job = pool.submit([] { return 1; });
    const auto next = pool.submit([] { boost::this_thread::interruption_point(); });
    job.request_stop();
    CHECK_NOTHROW(next.result());
    job.wait();
  }
}

TEST_CASE("request_stop: of a job that helps another does not end the other") {
  Gate gate;
  ThreadPoolExecutor pool(1);
  const auto outer = pool.submit([&] {
    const auto inner = pool.submit([&] {
      gate.pass();
      boost::this_thread::interruption_point();
      return 3;
    });
    return inner.result();
  });
  gate.wait_for_arrivals(1);
  outer.request_stop();
  gate.open();
  CHECK(outer.result() == 3);
  check_next_job_is_spared(pool);
}

TEST_CASE("request_stop: of a job that helps another only afterwards does not end the other") {
  Gate gate;
  ThreadPoolExecutor pool(1);
  const auto outer = pool.submit([&] {
    gate.pass();
    const auto inner = pool.submit([] {
      boost::this_thread::interruption_point();
      return 3;
    });
    const int value = inner.result();
    CHECK_THROWS_AS(boost::this_thread::interruption_point(), boost::thread_interrupted);
    return value;
  });
  gate.wait_for_arrivals(1);
  outer.request_stop();
  gate.open();
  CHECK(outer.result() == 3);
  check_next_job_is_spared(pool);
}

TEST_CASE("request_stop: of a job that another helps ends that job only") {
  Promise<Future<void>> inner_promise;
  Gate gate;
  ThreadPoolExecutor pool(1);
  const auto outer = pool.submit([&] {
    const auto inner = pool.submit([&] {
      gate.pass();
      boost::this_thread::interruption_point();
    });
    inner_promise.set_result(inner);
    inner.wait();
    boost::this_thread::interruption_point();
    return inner.cancelled();
  });
  gate.wait_for_arrivals(1);
  inner_promise.get_future().result().request_stop();
  gate.open();
  CHECK(outer.result());
}

TEST_CASE("request_stop: outside a job, interruption points of the main thread are unharmed") {
  ThreadPoolExecutor pool(1);
  InlineExecutor in_place;
  pool.submit([] {}).request_stop();
  CHECK_NOTHROW(boost::this_thread::interruption_point());
  CHECK_NOTHROW(in_place.submit([] { boost::this_thread::interruption_point(); }).result());
}

TEST_CASE("submit: boost::thread_interrupted thrown by hand ends a job cancelled") {
  ThreadPoolExecutor pool(1);
  const auto job = pool.submit([] { throw boost::thread_interrupted(); });
  job.wait();
  CHECK(job.cancelled());
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
