// The tree of errors: what derives from what, and what a handler for std::exception must not catch.
#include <doctest/doctest.h>

#include <exception>
#include <plait/futures.hpp>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "../support/log_capture.hpp"
#include "../support/prepared_futures.hpp"

namespace plait::test {
namespace {

static_assert(std::is_base_of_v<std::runtime_error, Error>);
static_assert(std::is_base_of_v<Error, InvalidStateError>);
static_assert(std::is_base_of_v<Error, TimeoutError>);
static_assert(std::is_base_of_v<Error, RuntimeError>);
static_assert(std::is_base_of_v<RuntimeError, BrokenExecutor>);
static_assert(std::is_base_of_v<BrokenExecutor, BrokenThreadPool>);
static_assert(std::is_base_of_v<RuntimeError, DeadlockError>);
static_assert(std::is_base_of_v<Error, ExceptionGroup>);
static_assert(!std::is_base_of_v<std::exception, CancelledError>);

TEST_SUITE_BEGIN("core/errors");

TEST_CASE("CancelledError: passes a handler for std::exception") {
  PreparedFutures prepared;
  bool caught_as_cancelled = false;
  try {
    try {
      prepared.cancelled.result();
    } catch (const std::exception&) {
      FAIL("a handler for std::exception swallowed a cancellation");
    }
  } catch (const CancelledError&) {
    caught_as_cancelled = true;
  }
  CHECK(caught_as_cancelled);
}

TEST_CASE("CancelledError: carries its reason") {
  CHECK(CancelledError().message().empty());
  CHECK(std::string(CancelledError().what()) == "cancelled");
  CHECK(CancelledError("because").message() == "because");
  CHECK(std::string(CancelledError("because").what()) == "because");
}

TEST_CASE("ExceptionGroup: keeps its members and lists them in its text") {
  const auto first = std::make_exception_ptr(TestError("first"));
  const auto second = std::make_exception_ptr(std::logic_error("second"));
  const ExceptionGroup group("two failures", {first, second});
  CHECK(group.exceptions() == std::vector{first, second});
  for (const auto* part : {"two failures", "first", "second"}) CHECK(holds(group.what(), part));
  CHECK_THROWS_AS(ExceptionGroup("none", {}), std::invalid_argument);
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
