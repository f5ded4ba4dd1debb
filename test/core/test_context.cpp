// ContextVar and Context: values that follow a task, a callback, a thread.
#include <doctest/doctest.h>

#include <plait/aio.hpp>
#include <plait/core/context.hpp>
#include <plait/testing/virtual_clock.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "../support/log_capture.hpp"

namespace plait::test {
namespace {

using namespace std::chrono_literals;

ContextVar<std::string> word("word");
ContextVar<int> number("number", 7);

template <class T>
T run_virtual(Coroutine<T> main) {
  return testing::VirtualLoop().run(std::move(main));
}

TEST_SUITE_BEGIN("core/context");

TEST_CASE("get: the value, else the fallback, else an error that names the variable") {
  Context().run([] {
    CHECK(number.get() == 7);
    CHECK(number.get(8) == 8);
    CHECK(word.get("none") == "none");
    CHECK(holds(text_of<RuntimeError>([] { word.get(); }), "'word'"));
    word.set("set");
    CHECK(word.get() == "set");
    CHECK(word.get("none") == "set");
  });
}

TEST_CASE("reset: undoes one set, once, of its own variable") {
  Context().run([] {
    const auto first = number.set(1);
    const auto second = number.set(2);
    number.reset(second);
    CHECK(number.get() == 1);
    number.reset(first);
    CHECK(number.get() == 7);
    CHECK(holds(text_of<RuntimeError>([&] { number.reset(first); }), "used once"));
    ContextVar<int> other("other");
    const auto foreign = other.set(1);
    CHECK_THROWS_AS(number.reset(foreign), std::invalid_argument);
    CHECK(other.get() == 1);
    other.reset(foreign);
    CHECK_THROWS_AS(other.get(), RuntimeError);
  });
}

TEST_CASE("Context: run() keeps what is set in it, and hides it outside") {
  Context context;
  const int result = context.run([](int n) { return number.set(n), number.get() + 1; }, 10);
  CHECK(result == 11);
  CHECK(number.get() == 7);
  CHECK(context.run([] { return number.get(); }) == 10);
  CHECK_THROWS_AS(context.run([]() -> int { throw(number.set(11), std::logic_error("x")); }),
                  std::logic_error);
  CHECK(context.run([] { return number.get(); }) == 11);
}

TEST_CASE("copy_context: a snapshot, that neither side changes for the other") {
  Context().run([] {
    number.set(1);
    Context copy = copy_context();
    number.set(2);
    copy.run([] {
      CHECK(number.get() == 1);
      number.set(3);
    });
    CHECK(number.get() == 2);
    CHECK(copy.run([] { return number.get(); }) == 3);
  });
}

TEST_CASE("Context: run() inside of its own run() is an error, in a copy it is not") {
  Context context;
  context.run([&] {
    number.set(1);
    CHECK(holds(text_of<RuntimeError>([&] { context.run([] {}); }), "already entered"));
    CHECK(copy_context().run([] { return number.get(); }) == 1);
  });
  CHECK(context.run([] { return number.get(); }) == 1);
}

TEST_CASE("set: a value lives as long as some context has it") {
  ContextVar<std::shared_ptr<int>> pointer("pointer");
  auto value = std::make_shared<int>(1);
  Context context;
  context.run([&] { pointer.set(value); });
  CHECK(value.use_count() == 2);
  context = Context();
  CHECK(value.use_count() == 1);
}

TEST_CASE("thread: each has values of its own, and begins without any") {
  Context().run([] {
    number.set(1);
    int seen = 0;
    std::thread thread([&] {
      seen = number.get();
      number.set(2);
    });
    thread.join();
    CHECK(seen == 7);
    CHECK(number.get() == 1);
  });
}

TEST_CASE(
    "task: begins with its creator's values, and changes its own only [cpython "
    "test_tasks.test_context_1]") {
  auto sub = []() -> Coroutine<> {
    co_await aio::sleep(10ms);
    CHECK(word.get() == "nope");
    word.set("something else");
  };
  auto main = [](Coroutine<> sub) -> Coroutine<> {
    word.set("nope");
    auto task = aio::create_task(std::move(sub));
    word.set("yes");
    CHECK(word.get() == "yes");
    co_await task;
    CHECK(word.get() == "yes");
  };
  run_virtual(main(sub()));
  CHECK(word.get("unset") == "unset");
}

TEST_CASE("task: a hundred at once each see their own values [cpython test_tasks.test_context_3]") {
  auto sub = [](int own) -> Coroutine<> {
    for (int i = 0; i < 10; ++i) {
      number.set(own + i);
      co_await aio::sleep(1ms * (own % 7));
      CHECK(number.get() == own + i);
    }
  };
  auto main = [sub]() -> Coroutine<> {
    std::vector<aio::Task<>> tasks;
    for (int own = 0; own < 100; ++own) tasks.push_back(aio::create_task(sub(own)));
    for (const auto& task : tasks) co_await task;
    CHECK(number.get() == 7);
  };
  run_virtual(main());
}

TEST_CASE("await: a coroutine that is awaited sees and changes the values of its task") {
  auto sub = []() -> Coroutine<> {
    CHECK(number.get() == 1);
    number.set(2);
    co_await aio::yield();
  };
  auto main = [](Coroutine<> sub) -> Coroutine<> {
    number.set(1);
    co_await std::move(sub);
    CHECK(number.get() == 2);
  };
  run_virtual(main(sub()));
}

TEST_CASE("callback: runs with the values of the moment in which it was scheduled") {
  std::vector<int> seen;
  auto main = [](std::vector<int>& seen) -> Coroutine<> {
    auto& loop = aio::get_running_loop();
    auto note = [&seen] { seen.push_back(number.get()); };
    number.set(1);
    loop.call_soon(note);
    number.set(2);
    loop.call_soon([note] { note(), number.set(100); });
    loop.call_later(1s, note);
    number.set(3);
    co_await aio::sleep(2s);
    CHECK(number.get() == 3);
  };
  run_virtual(main(seen));
  CHECK(seen == std::vector{1, 2, 2});
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
