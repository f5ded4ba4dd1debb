// yield_from: what PEP 380 says of generators that yield from each other.
#include <doctest/doctest.h>

#include <plait/core/errors.hpp>
#include <plait/core/generator.hpp>

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "../support/log_capture.hpp"

namespace plait::test {
namespace {

using Echo = Generator<std::string, std::string, int>;
using Trace = std::vector<std::string>;

std::exception_ptr error(const char* text) {
  return std::make_exception_ptr(std::logic_error(text));
}

Generator<int> count_to(int last) {
  for (int n = 1; n <= last; ++n) co_yield n;
}

// Yields what it was sent until that is "end", then returns how many there were.
Echo echo(Trace* trace = nullptr) {
  std::string sent = co_yield "ready";
  int count = 0;
  for (; sent != "end"; ++count) {
    try {
      sent = co_yield "got " + sent;
    } catch (const std::exception& problem) {
      sent = std::string("caught ") + problem.what();
    } catch (const GeneratorExit&) {
      if (trace) trace->push_back("inner exit");
      throw;
    }
  }
  co_return count;
}

Echo delegate(Echo inner, Trace* trace = nullptr) {
  int result = 0;
  try {
    result = co_yield yield_from(std::move(inner));
  } catch (const GeneratorExit&) {
    if (trace) trace->push_back("outer exit");
    throw;
  }
  const std::string last = co_yield "inner returned " + std::to_string(result);
  co_return last == "double" ? 2 * result : result;
}

TEST_SUITE_BEGIN("core/yield_from");

TEST_CASE("yield_from: gives what the inner generator yields, then its return value") {
  auto outer = delegate(echo());
  CHECK(outer.next() == "ready");
  CHECK(outer.send("a") == "got a");
  CHECK(outer.next() == "got ");
  CHECK(outer.send("end") == "inner returned 2");
  CHECK(outer.send("double") == std::nullopt);
  CHECK(outer.value() == 4);
}

TEST_CASE("yield_from: throw_ goes to the inner generator") {
  auto outer = delegate(delegate(echo()));
  outer.next();
  outer.send("a");
  CHECK(outer.throw_(error("one")) == "got caught one");
  CHECK(outer.send("end") == "inner returned 2");
}

TEST_CASE("yield_from: what the inner one does not catch comes out where it was yielded from") {
  auto body = [](Generator<int> inner) -> Generator<int> {
    bool caught = false;
    try {
      co_yield yield_from(std::move(inner));
    } catch (const std::logic_error& problem) {
      caught = problem.what() == std::string("one");
    }
    if (caught) co_yield -1;
  };
  auto outer = body(count_to(3));
  CHECK(outer.next() == 1);
  CHECK(outer.throw_(error("one")) == -1);
  CHECK(outer.next() == std::nullopt);
}

TEST_CASE("yield_from: close() closes the inner generators first") {
  Trace trace;
  auto outer = delegate(delegate(echo(&trace), &trace), &trace);
  outer.next();
  outer.send("a");
  outer.close();
  CHECK(trace == Trace{"inner exit", "outer exit", "outer exit"});
  CHECK(outer.done());
}

TEST_CASE("yield_from: a thrown GeneratorExit closes the inner one, too") {
  Trace trace;
  auto outer = delegate(echo(&trace), &trace);
  outer.next();
  outer.send("a");
  CHECK_THROWS_AS(outer.throw_(std::make_exception_ptr(GeneratorExit())), GeneratorExit);
  CHECK(trace == Trace{"inner exit", "outer exit"});
}

TEST_CASE("yield_from: an inner one that returns when closed does not save the outer one") {
  auto inner = []() -> Generator<int> {
    try {
      co_yield 1;
    } catch (const GeneratorExit&) {
    }
  };
  std::string ending;
  auto body = [](Generator<int> inner, std::string& ending) -> Generator<int> {
    try {
      co_yield yield_from(std::move(inner));
      ending = "went on";
    } catch (const GeneratorExit& exit) {
      ending = exit.what();
    }
  };
  auto outer = body(inner(), ending);
  outer.next();
  outer.close();
  CHECK(ending == "GeneratorExit");
}

TEST_CASE("yield_from: an inner one that ignores GeneratorExit fails in the outer one") {
  auto stubborn = [](int depth) -> Generator<int> {
    try {
      co_yield depth;
    } catch (const GeneratorExit&) {
    }
    co_yield yield_from(count_to(2));
  };
  std::string ending;
  auto body = [](Generator<int> inner, std::string& ending) -> Generator<int> {
    try {
      co_yield yield_from(std::move(inner));
    } catch (const RuntimeError& problem) {
      ending = problem.what();
    }
  };
  auto outer = body(stubborn(0), ending);
  outer.next();
  outer.close();
  CHECK(holds(ending, "ignored GeneratorExit"));
  CHECK(outer.done());
}

TEST_CASE("yield_from: an inner one that was started goes on, one that is done gives its value") {
  auto started = echo();
  started.next();
  started.send("a");
  auto outer = delegate(std::move(started));
  CHECK(outer.next() == "got ");
  auto done = echo();
  done.next();
  done.send("end");
  auto at_once = delegate(std::move(done));
  CHECK(at_once.next() == "inner returned 0");
}

TEST_CASE("yield_from: a chain is as fast and as flat as one generator, however deep") {
  auto nest = [](Generator<int> inner) -> Generator<int> { co_yield yield_from(std::move(inner)); };
  constexpr int depth = 100'000, values = 100'000;
  auto chain = count_to(values);
  for (int level = 0; level < depth; ++level) chain = nest(std::move(chain));
  int last = 0;
  for (const int n : chain) last = n;  // depth times values steps would not end
  CHECK(last == values);
  CHECK(chain.done());
}

TEST_CASE("yield_from: many inner generators one after the other use up no stack") {
  auto body = []() -> Generator<int> {
    for (int n = 0; n < 1'000'000; ++n) co_yield yield_from(count_to(n % 2));
  };
  int sum = 0;
  for (const int n : body()) sum += n;
  CHECK(sum == 500'000);
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
