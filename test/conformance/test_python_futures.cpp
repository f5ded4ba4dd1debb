// CPython's cases of the futures of a loop, here those of EventLoop::create_promise().
// Left out: copying between futures (wrap_future chains them), set_result_unless cancelled (a
// helper of CPython's own), constructors without a loop (a promise is made by its loop).
#include <doctest/doctest.h>

#include <exception>
#include <optional>
#include <plait/aio.hpp>
#include <plait/futures.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "../support/log_capture.hpp"
#include "../support/loop_probe.hpp"
#include "../support/prepared_futures.hpp"

namespace plait::test {
namespace {

using Ints = std::vector<int>;

TEST_SUITE_BEGIN("conformance/futures");

TEST_CASE("a new future: neither done nor cancelled [cpython test_futures.test_initial_state]") {
  aio::EventLoop loop;
  const auto future = loop.create_promise<int>().get_future();
  const auto promise = loop.create_promise<int>();
  const auto pending = promise.get_future();
  CHECK_FALSE(pending.done());
  CHECK_FALSE(pending.cancelled());
  CHECK(pending.cancel());
  CHECK(pending.cancelled());
  CHECK_THROWS_AS(future.result(), InvalidStateError);  // its producer has gone
}

TEST_CASE(
    "cancel: ends a future at once, and nobody can set it any more "
    "[cpython test_futures.test_cancel]") {
  aio::EventLoop loop;
  auto promise = loop.create_promise<int>();
  const auto future = promise.get_future();
  CHECK(future.cancel());
  CHECK(future.cancelled());
  CHECK(future.done());
  CHECK_THROWS_AS(future.result(), CancelledError);
  CHECK_THROWS_AS(static_cast<void>(future.exception()), CancelledError);
  CHECK_THROWS_AS(promise.set_result(1), InvalidStateError);
  CHECK_THROWS_AS(promise.set_exception(TestError("late")), InvalidStateError);
  CHECK(future.cancel());  // true for what is cancelled, as concurrent.futures has it
}

TEST_CASE(
    "result: of a pending future throws instead of blocking the loop's thread "
    "[cpython test_futures.test_result]") {
  aio::EventLoop loop;
  auto promise = loop.create_promise<int>();
  const auto future = promise.get_future();
  CHECK_THROWS_AS(future.result(), InvalidStateError);
  promise.set_result(42);
  CHECK(future.done());
  CHECK_FALSE(future.cancelled());
  CHECK(future.result() == 42);
  CHECK(future.exception() == nullptr);
  CHECK_THROWS_AS(promise.set_result(43), InvalidStateError);
  CHECK_THROWS_AS(promise.set_exception(TestError("late")), InvalidStateError);
  CHECK_FALSE(future.cancel());
  CHECK(future.result() == 42);
}

TEST_CASE(
    "exception: of a pending future throws; of a failed one is the very error "
    "[cpython test_futures.test_exception]") {
  aio::EventLoop loop;
  auto promise = loop.create_promise<int>();
  const auto future = promise.get_future();
  CHECK_THROWS_AS(static_cast<void>(future.exception()), InvalidStateError);
  const auto error = std::make_exception_ptr(TestError("e"));
  promise.set_exception(error);
  CHECK_THROWS_AS(future.result(), TestError);
  CHECK(future.exception() == error);
  CHECK_THROWS_AS(promise.set_result(1), InvalidStateError);
  CHECK_THROWS_AS(promise.set_exception(TestError("late")), InvalidStateError);
  CHECK_FALSE(future.cancel());
}

template <class End>
void drop_future(aio::EventLoop& loop, End end) {
  auto promise = loop.create_promise<int>();
  const auto future = promise.get_future();
  end(promise, future);
}

TEST_CASE(
    "dropping a future: is silent where nothing is lost "
    "[cpython test_futures.test_tb_logger_abandoned]") {
  aio::EventLoop loop;
  const LogCapture log;
  const Reports reports(loop);
  static_cast<void>(loop.create_promise<int>());
  drop_future(loop, [](auto&, const auto& future) { future.cancel(); });
  drop_future(loop, [](auto& promise, const auto&) { promise.set_result(1); });
  drop_future(loop, [](auto& promise, const auto& future) {
    promise.set_exception(TestError("read"));
    CHECK_THROWS_AS(future.result(), TestError);
  });
  drop_future(loop, [](auto& promise, const auto& future) {
    promise.set_exception(TestError("read"));
    CHECK(future.exception() != nullptr);
  });
  CHECK(reports.size() == 0);
  CHECK(log.size() == 0);
}

TEST_CASE(
    "dropping a failed future: reports the error nobody read, once "
    "[cpython test_futures.test_tb_logger_exception_unretrieved]") {
  aio::EventLoop loop;
  const LogCapture log;
  const Reports reports(loop);
  drop_future(loop, [](auto& promise, const auto&) { promise.set_exception(TestError("lost")); });
  REQUIRE(reports.size() == 1);
  CHECK(holds(reports.message(), "exception was never retrieved"));
  CHECK(reports.holds_error<TestError>());
  CHECK(log.size() == 0);
}

TEST_CASE(
    "done-callbacks: run an iteration after set_result(), in the order of their adding "
    "[cpython test_futures.test_callbacks_invoked_on_set_result]") {
  aio::EventLoop loop;
  auto promise = loop.create_promise<std::string>();
  const auto future = promise.get_future();
  std::vector<std::string> calls;
  future.add_done_callback([&](const auto& f) { calls.push_back("1 " + f.result()); });
  future.add_done_callback([&](const auto& f) { calls.push_back("2 " + f.result()); });
  run_briefly(loop);
  CHECK(calls.empty());
  promise.set_result("foo");
  CHECK(calls.empty());
  run_briefly(loop);
  CHECK(calls == std::vector<std::string>{"1 foo", "2 foo"});
}

TEST_CASE(
    "done-callbacks: run an iteration after set_exception() "
    "[cpython test_futures.test_callbacks_invoked_on_set_exception]") {
  aio::EventLoop loop;
  auto promise = loop.create_promise<int>();
  const auto error = std::make_exception_ptr(TestError("e"));
  int calls = 0;
  promise.get_future().add_done_callback([&](const auto& f) {
    ++calls;
    CHECK(f.exception() == error);
  });
  promise.set_exception(error);
  CHECK(calls == 0);
  run_briefly(loop);
  CHECK(calls == 1);
}

TEST_CASE("done-callbacks: added to a done future, run in the next iteration, too") {
  aio::EventLoop loop;
  auto promise = loop.create_promise<int>();
  promise.set_result(1);
  int calls = 0;
  promise.get_future().add_done_callback([&](const auto&) { ++calls; });
  CHECK(calls == 0);
  run_briefly(loop);
  CHECK(calls == 1);
}

TEST_CASE(
    "remove_done_callback: takes each away once; the others run "
    "[cpython test_futures.test_remove_done_callback]") {
  aio::EventLoop loop;
  auto promise = loop.create_promise<int>();
  const auto future = promise.get_future();
  Ints calls;
  std::vector<CallbackId> ids;
  for (int i = 0; i < 6; ++i) {
    ids.push_back(future.add_done_callback([&calls, i](const auto&) { calls.push_back(i); }));
  }
  CHECK(future.remove_done_callback(ids[0]));
  CHECK_FALSE(future.remove_done_callback(ids[0]));
  CHECK(future.remove_done_callback(ids[3]));
  CHECK(future.remove_done_callback(ids[5]));
  CHECK_FALSE(future.remove_done_callback(CallbackId()));
  promise.set_result(1);
  run_briefly(loop);
  CHECK(calls == Ints{1, 2, 4});
}

TEST_CASE(
    "done-callbacks: an error goes to the exception handler and does not stop the others "
    "[derived.future_callback_error]") {
  aio::EventLoop loop;
  const Reports reports(loop);
  auto promise = loop.create_promise<int>();
  const auto future = promise.get_future();
  Ints calls;
  future.add_done_callback([&](const auto&) { calls.push_back(1); });
  future.add_done_callback([&](const auto&) { throw TestError("in callback"); });
  future.add_done_callback([&](const auto&) { calls.push_back(2); });
  promise.set_result(1);
  run_briefly(loop);
  CHECK(calls == Ints{1, 2});
  REQUIRE(reports.size() == 1);
  CHECK(reports.holds_error<TestError>());
}

Coroutine<int> fail_at_once() {
  throw TestError("raise me");
  co_return 1;
}

Coroutine<> await_five_times() {
  const auto task = aio::create_task(fail_at_once());
  for (int i = 0; i < 5; ++i) {
    std::exception_ptr error;
    try {
      co_await task;
    } catch (const TestError&) {
      error = std::current_exception();
    }
    CHECK(error != nullptr);
    CHECK(error == task.exception());
  }
}

TEST_CASE(
    "co_await: a failed task gives the same error each time "
    "[cpython test_futures2.test_future_traceback]") {
  aio::EventLoop loop;
  loop.run_until_complete(await_five_times());
}

TEST_CASE(
    "exception handler: runs in the context of the callback that threw "
    "[cpython test_futures2.test_handle_exc_handler_correct_context]") {
  aio::EventLoop loop;
  ContextVar<std::string> name("name", "nobody");
  std::string seen;
  loop.set_exception_handler(
      [&](aio::EventLoop&, const aio::ExceptionContext&) { seen = name.get(); });
  loop.call_soon([&] {
    name.set("foo");
    throw TestError("in callback");
  });
  run_briefly(loop);
  CHECK(seen == "foo");
  CHECK(name.get() == "nobody");
}

Coroutine<int> await_future(Future<int> future) { co_return co_await future; }

TEST_CASE("co_await: a loop's future is awaited by its tasks, an executor's needs none") {
  aio::EventLoop loop;
  auto promise = loop.create_promise<int>();
  const auto task = loop.create_task(await_future(promise.get_future()));
  run_briefly(loop);
  CHECK_FALSE(task.done());
  promise.set_result(7);
  CHECK(loop.run_until_complete(task) == 7);
  ThreadPoolExecutor pool(1);
  CHECK(loop.run_until_complete(await_future(pool.submit([] { return 8; }))) == 8);
  CHECK(loop.run_until_complete(pool.submit([] { return 9; })) == 9);
}

Coroutine<> wrap_a_job() {
  ThreadPoolExecutor pool(1);
  const auto text = [](const char* word) { return std::pair(word, std::this_thread::get_id()); };
  const auto wrapper = aio::wrap_future(pool.submit(text, "oi"));
  const auto& [word, thread] = co_await wrapper;
  CHECK(std::string(word) == "oi");
  CHECK(thread != std::this_thread::get_id());
}

TEST_CASE(
    "wrap_future: a thread pool's future is awaited like the loop's own "
    "[cpython test_futures.test_wrap_future]") {
  aio::run(wrap_a_job());
}

Coroutine<> wrap_own_future() {
  const auto promise = aio::get_running_loop().create_promise<int>();
  const auto future = promise.get_future();
  CHECK(aio::wrap_future(future) == future);
  const auto task = aio::create_task(empty_coroutine());
  CHECK(aio::wrap_future(task) == task);
  co_await task;
}

TEST_CASE(
    "wrap_future: gives the loop's own futures back, and needs a running loop "
    "[cpython test_futures.test_wrap_future_future]") {
  aio::run(wrap_own_future());
  CHECK_THROWS_AS(aio::wrap_future(Promise<int>().get_future()), RuntimeError);
}

Coroutine<> cancel_wrapper() {
  const Promise<int> promise;
  const auto wrapper = aio::wrap_future(promise.get_future());
  wrapper.cancel();
  co_await aio::yield();
  CHECK(wrapper.cancelled());
  CHECK(promise.get_future().cancelled());
}

TEST_CASE(
    "Future::cancel: of a wrapper reaches what it wraps "
    "[cpython test_futures.test_wrap_future_cancel]") {
  aio::run(cancel_wrapper());
}

Coroutine<> cancel_wrapped() {
  const Promise<int> promise;
  const auto wrapper = aio::wrap_future(promise.get_future());
  promise.get_future().cancel();
  co_await aio::yield();
  CHECK(wrapper.cancelled());
}

TEST_CASE("Future::cancel: of what is wrapped reaches the wrapper") { aio::run(cancel_wrapped()); }

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
