// Generator: PEP 342's send, throw and close.
#include <doctest/doctest.h>

#include <plait/core/errors.hpp>
#include <plait/core/generator.hpp>

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "../support/lifetime_tracked.hpp"
#include "../support/log_capture.hpp"

namespace plait::test {
namespace {

using Echo = Generator<std::string, std::string, int>;

std::exception_ptr error(const char* text) {
  return std::make_exception_ptr(std::logic_error(text));
}

Generator<int> count_to(int last) {
  for (int n = 1; n <= last; ++n) co_yield n;
}

// Yields what it was sent until that is "end", then returns how many there were.
Echo echo() {
  std::string sent = co_yield "ready";
  int count = 0;
  for (; sent != "end"; ++count) {
    try {
      sent = co_yield "got " + sent;
    } catch (const std::exception& problem) {
      sent = std::string("caught ") + problem.what();
    }
  }
  co_return count;
}

TEST_SUITE_BEGIN("core/generator");

TEST_CASE("next: runs the body to each co_yield, then to its end") {
  auto numbers = count_to(2);
  CHECK_FALSE(numbers.done());
  CHECK(numbers.next() == 1);
  CHECK(numbers.next() == 2);
  CHECK_FALSE(numbers.done());
  CHECK(numbers.next() == std::nullopt);
  CHECK(numbers.done());
  CHECK(numbers.next() == std::nullopt);
  CHECK_NOTHROW(numbers.value());
}

TEST_CASE("range-for: goes through what is still to come") {
  auto numbers = count_to(5);
  numbers.next();
  std::vector<int> seen;
  for (int& n : numbers) seen.push_back(n * n);
  CHECK(seen == std::vector{4, 9, 16, 25});
  for (const int n : numbers) FAIL(n);
  for (const int n : Generator<int>(std::move(numbers))) FAIL(n);
}

TEST_CASE("send: is what co_yield gives, and gives what is yielded next") {
  auto talk = echo();
  CHECK(talk.next() == "ready");
  CHECK(talk.send("a") == "got a");
  CHECK(talk.send("b") == "got b");
  CHECK(talk.next() == "got ");  // S() stands for None
  CHECK(talk.send("end") == std::nullopt);
  CHECK(talk.value() == 3);
  CHECK(talk.send("more") == std::nullopt);
}

TEST_CASE("send: a value cannot be sent to a just-started generator") {
  auto talk = echo();
  CHECK(holds(text_of<std::invalid_argument>([&] { talk.send("a"); }), "just-started"));
  CHECK(talk.next() == "ready");
  auto numbers = count_to(1);
  CHECK(numbers.send({}) == 1);  // a monostate is no value
}

struct NoDefault {
  explicit NoDefault(int number) : number(number) {}
  int number;
};

TEST_CASE("next: has nothing to send where S has no default") {
  auto body = []() -> Generator<int, NoDefault> {
    for (int next = 0;;) next = (co_yield next).number;
  };
  auto numbers = body();
  CHECK(numbers.next() == 0);
  CHECK_THROWS_AS(numbers.next(), std::invalid_argument);
  CHECK(numbers.send(NoDefault(7)) == 7);
}

TEST_CASE("throw_: throws at the co_yield, which may go on") {
  auto talk = echo();
  talk.next();
  talk.send("a");
  CHECK(talk.throw_(error("one")) == "got caught one");
  CHECK(talk.send("end") == std::nullopt);
  CHECK(talk.value() == 2);
}

TEST_CASE("throw_: what is not caught comes out and ends the generator") {
  auto numbers = count_to(3);
  numbers.next();
  CHECK_THROWS_WITH_AS(numbers.throw_(error("two")), "two", std::logic_error);
  CHECK(numbers.done());
  CHECK(numbers.next() == std::nullopt);
  CHECK_THROWS_AS(numbers.value(), InvalidStateError);
  CHECK_THROWS_WITH_AS(numbers.throw_(error("three")), "three", std::logic_error);
}

TEST_CASE("throw_: a generator that was never started ends without running") {
  LifetimeCounts counts;
  bool ran = false;
  auto body = [](LifetimeTracked, bool& ran) -> Generator<int> {
    ran = true;
    co_yield 1;
  };
  auto unstarted = body(LifetimeTracked(counts), ran);
  CHECK(counts.live == 1);
  CHECK_THROWS_WITH_AS(unstarted.throw_(error("early")), "early", std::logic_error);
  CHECK(counts.live == 0);
  CHECK_FALSE(ran);
  CHECK(unstarted.next() == std::nullopt);
}

TEST_CASE("next: an exception of the body comes out once") {
  auto body = []() -> Generator<int> {
    co_yield 1;
    throw std::logic_error("body");
  };
  auto failing = body();
  failing.next();
  CHECK_THROWS_WITH_AS(failing.next(), "body", std::logic_error);
  CHECK(failing.next() == std::nullopt);
}

TEST_CASE("close: throws GeneratorExit into the body, which may return") {
  std::string ending;
  auto body = [](std::string& ending, bool swallow) -> Generator<int> {
    try {
      co_yield 1;
    } catch (const std::exception&) {
      ending = "std::exception";
    } catch (const GeneratorExit& exit) {
      ending = exit.what();
      if (!swallow) throw;
    }
  };
  for (const bool swallow : {false, true}) {
    ending.clear();
    auto numbers = body(ending, swallow);
    numbers.next();
    numbers.close();
    CHECK(ending == "GeneratorExit");
    CHECK(numbers.done());
    numbers.close();
    CHECK(numbers.next() == std::nullopt);
  }
}

TEST_CASE("close: a body that yields in spite of it is a RuntimeError") {
  auto body = []() -> Generator<int> {
    for (int n = 0;; ++n) {
      try {
        co_yield n;
      } catch (const GeneratorExit&) {
      }
    }
  };
  auto stubborn = body();
  stubborn.next();
  CHECK(holds(text_of<RuntimeError>([&] { stubborn.close(); }), "ignored GeneratorExit"));
  CHECK_FALSE(stubborn.done());
  CHECK(stubborn.next() == 2);
}

TEST_CASE("close: another exception comes out; what was never started does not run") {
  auto body = []() -> Generator<int> {
    try {
      co_yield 1;
    } catch (const GeneratorExit&) {
      throw std::logic_error("in close");
    }
  };
  auto numbers = body();
  numbers.next();
  CHECK_THROWS_WITH_AS(numbers.close(), "in close", std::logic_error);
  auto unstarted = body();
  unstarted.close();
  CHECK(unstarted.done());
}

TEST_CASE("every call: a body that calls its own generator gets a RuntimeError") {
  Generator<int>* self = nullptr;
  auto body = [](Generator<int>*& self) -> Generator<int> {
    const std::vector<std::function<void()>> calls = {
        [&] { self->next(); }, [&] { self->send({}); }, [&] { self->close(); },
        [&] { self->throw_(error("x")); }, [&] { self->begin(); }};
    for (const auto& call : calls) {
      CHECK(text_of<RuntimeError>(call) == "generator already executing");
    }
    co_yield 1;
  };
  auto numbers = body(self);
  self = &numbers;
  CHECK(numbers.next() == 1);
  CHECK(numbers.next() == std::nullopt);
}

TEST_CASE("value: what was returned, once it was") {
  auto body = []() -> Generator<int, std::monostate, std::unique_ptr<int>> {
    co_yield 1;
    co_return std::make_unique<int>(5);
  };
  auto numbers = body();
  CHECK_THROWS_AS(numbers.value(), InvalidStateError);
  numbers.next();
  CHECK_THROWS_AS(numbers.value(), InvalidStateError);
  numbers.next();
  CHECK(*numbers.value() == 5);
  auto moved = std::move(numbers);
  CHECK(*moved.value() == 5);
  CHECK(numbers.done());  // NOLINT(bugprone-use-after-move): that is what is tested
  CHECK_THROWS_AS(numbers.value(), InvalidStateError);
}

TEST_CASE("co_yield: a value that can only be moved goes through") {
  auto body = []() -> Generator<std::unique_ptr<int>, std::unique_ptr<int>> {
    auto sent = co_yield std::make_unique<int>(1);
    while (sent) sent = co_yield std::make_unique<int>(*sent + 1);
  };
  auto pointers = body();
  CHECK(**pointers.next() == 1);
  CHECK(**pointers.send(std::make_unique<int>(5)) == 6);
  for (auto& pointer : pointers) FAIL(*pointer);
  CHECK(pointers.done());
}

TEST_CASE("co_yield: temporaries of the yielded expression are destroyed once") {
  struct Item {
    LifetimeTracked tracked;
    std::string text;
  };
  LifetimeCounts counts;
  auto body = [](LifetimeCounts& counts) -> Generator<Item> {
    for (int n = 0; n < 3; ++n) {
      Item item{LifetimeTracked(counts), "a text that is too long for a small string"};
      co_yield std::move(item);
    }
  };
  for (const auto& item : body(counts)) CHECK(item.text.size() > 30);
  CHECK(counts.live == 0);
  CHECK(counts.copies == 0);
}

TEST_CASE("destructor: destroys the locals of a suspended body") {
  LifetimeCounts counts;
  auto body = [](LifetimeCounts& counts) -> Generator<int> {
    const LifetimeTracked local(counts);
    co_yield 1;
  };
  {
    auto numbers = body(counts);
    numbers.next();
    CHECK(counts.live == 1);
    numbers = count_to(1);
    CHECK(counts.live == 0);
    CHECK(numbers.next() == 1);
  }
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
