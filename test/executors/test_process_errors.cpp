// Tests of how exceptions come back from worker processes.
#include <doctest/doctest.h>
#include <unistd.h>

#include <any>
#include <csignal>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <ios>
#include <memory>
#include <new>
#include <optional>
#include <regex>
#include <stdexcept>
#include <string>
#include <system_error>
#include <typeinfo>
#include <variant>
#include <vector>

#include <plait/core/cancelled_error.hpp>
#include <plait/core/exception_group.hpp>
#include <plait/executors/process_pool_executor.hpp>
#include <plait/loop/locks.hpp>
#include <plait/loop/queue.hpp>

#include "../support/process_probe.hpp"
#include "core/describe_exception.hpp"

using namespace plait;
using namespace std::chrono_literals;

namespace {

constexpr auto limit = 20s;

// -- exceptions of one's own

// Travels as its text.
struct Named : std::runtime_error {
  using std::runtime_error::runtime_error;
};
// Travels as its members, and can be told to fail on its way.
class Numbered : public std::exception {
 public:
  enum Failure { none, in_save, in_load };
  explicit Numbered(int number = 0, Failure failure = none) : number_(number), failure_(failure) {}
  int number() const { return number_; }
  const char* what() const noexcept override { return "numbered"; }
  template <class Archive>
  void save(Archive& archive) const {
    if (failure_ == in_save) throw std::runtime_error("save");
    archive(number_, static_cast<int>(failure_));
  }
  template <class Archive>
  void load(Archive& archive) {
    int failure = 0;
    archive(number_, failure);
    if (failure == in_load) throw std::runtime_error("load");
  }

 private:
  int number_;
  Failure failure_;
};
// Cannot be made of its own what().
struct Picky : std::runtime_error {
  explicit Picky(const std::string& text) : std::runtime_error("picky: " + text) {
    if (text.starts_with("picky")) throw std::invalid_argument("what() is not what made it");
  }
};
struct Tag {};
// Its own name is spelled within it, so that the compiler abbreviates it.
template <class T>
struct Tagged : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct Unknown : std::logic_error {
  using std::logic_error::logic_error;
};
struct CancelledByUser : CancelledError {
  using CancelledError::CancelledError;
};

const bool registered = register_exception<Named>() && register_exception<Numbered>() &&
                        register_exception<Picky>() && register_exception<Tagged<Tag>>();

class Category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "category of the test"; }
  std::string message(int value) const override { return "message " + std::to_string(value); }
};
const Category category;

// -- helpers

// Each case ends with it: no child and no descriptor are left.
class NothingLeft {
 public:
  ~NothingLeft() {
    CHECK_FALSE(test::has_children());
    CHECK(test::descriptor_count() == descriptors_);
  }

 private:
  std::size_t descriptors_ = test::descriptor_count();
};

// Calls check(error) with the E that the future fails with.
template <class E, class T, class Check>
void check_fails(const Future<T>& future, Check check) {
  try {
    future.result(limit);
    FAIL_CHECK("nothing was thrown");
  } catch (const E& error) {
    check(error);
  } catch (...) {
    FAIL_CHECK(detail::describe_exception(std::current_exception()));
  }
}

std::string type_name_of(const std::exception& error) {
  const auto* const info = dynamic_cast<const RemoteInfo*>(&error);
  return info ? info->type_name() : "no RemoteInfo";
}

template <class E>
E make() {
  if constexpr (std::constructible_from<E, const char*>) {
    return E("some text");
  } else {
    return E();
  }
}
template <class E>
void throw_one() {
  throw make<E>();
}
template <class... E>
void check_own_types(ProcessPoolExecutor& pool) {
  const auto check = [&]<class One>(std::type_identity<One>) {
    check_fails<One>(pool.submit(throw_one<One>), [&](const One& error) {
      CHECK(type_name_of(error) == detail::demangle(typeid(One)));
      CHECK(std::string(error.what()) == make<One>().what());
      CHECK(dynamic_cast<const RemoteInfo&>(error).pid() == pool.worker_pids().at(0));
    });
  };
  (check(std::type_identity<E>()), ...);
}

TEST_SUITE_BEGIN("executors/process_errors");

// ---------------------------------------------------------------- the library's own

TEST_CASE_FIXTURE(NothingLeft,
                  "result: the standard library's exceptions come back as themselves") {
  ProcessPoolExecutor pool(1);
  check_own_types<std::exception, std::logic_error, std::domain_error, std::invalid_argument,
                  std::length_error, std::out_of_range, std::runtime_error, std::range_error,
                  std::overflow_error, std::underflow_error, std::bad_alloc,
                  std::bad_array_new_length, std::bad_cast, std::bad_any_cast, std::bad_typeid,
                  std::bad_function_call, std::bad_optional_access, std::bad_variant_access,
                  std::bad_weak_ptr, std::bad_exception>(pool);
}

TEST_CASE_FIXTURE(NothingLeft, "result: plait's exceptions come back as themselves") {
  ProcessPoolExecutor pool(1);
  check_own_types<Error, InvalidStateError, TimeoutError, RuntimeError, DeadlockError,
                  SerializationError, BrokenExecutor, BrokenThreadPool, BrokenProcessPool,
                  RemoteError, aio::QueueEmpty, aio::QueueFull, aio::QueueShutDown,
                  aio::BrokenBarrierError>(pool);
  check_fails<WorkerDied>(pool.submit([] { throw WorkerDied("gone", 7, SIGKILL, 0); }),
                          [](const WorkerDied& error) {
                            CHECK(error.pid() == 7);
                            CHECK(error.signal() == SIGKILL);
                            CHECK(std::string(error.what()) == "gone");
                          });
}

TEST_CASE_FIXTURE(NothingLeft, "result: a group of errors comes back with each as itself") {
  ProcessPoolExecutor pool(1);
  const auto throw_group = [] {
    throw ExceptionGroup("both", {std::make_exception_ptr(std::out_of_range("one")),
                                  std::make_exception_ptr(Unknown("two"))});
  };
  check_fails<ExceptionGroup>(pool.submit(throw_group), [](const ExceptionGroup& group) {
    CHECK(std::string(group.what()).starts_with("both"));
    REQUIRE(group.exceptions().size() == 2);
    CHECK_THROWS_WITH_AS(std::rethrow_exception(group.exceptions()[0]), "one", std::out_of_range);
    CHECK_THROWS_AS(std::rethrow_exception(group.exceptions()[1]), RemoteError);
  });
}

TEST_CASE_FIXTURE(NothingLeft, "result: error codes keep value and category") {
  ProcessPoolExecutor pool(1);
  const auto throw_code = [](int value, bool system) {
    throw std::system_error(value, system ? std::system_category() : std::generic_category(), "no");
  };
  for (const bool system : {false, true}) {
    check_fails<std::system_error>(
        pool.submit(throw_code, ENOENT, system), [&](const std::system_error& error) {
          CHECK(error.code().value() == ENOENT);
          CHECK(error.code().category() ==
                (system ? std::system_category() : std::generic_category()));
          CHECK(error.code() == std::errc::no_such_file_or_directory);
          CHECK(std::string(error.what()) == "no: No such file or directory");
        });
  }
  check_fails<std::future_error>(
      pool.submit([] { throw std::future_error(std::future_errc::no_state); }),
      [](const std::future_error& error) { CHECK(error.code() == std::future_errc::no_state); });
  check_fails<std::regex_error>(
      pool.submit([] { throw std::regex_error(std::regex_constants::error_paren); }),
      [](const std::regex_error& error) {
        CHECK(error.code() == std::regex_constants::error_paren);
      });
}

TEST_CASE_FIXTURE(NothingLeft, "result: an error code of an unknown category is none of errno's") {
  ProcessPoolExecutor pool(1);
  check_fails<std::system_error>(
      pool.submit([] { throw std::system_error(ENOENT, category, "no"); }),
      [](const std::system_error& error) {
        CHECK(error.code().value() == ENOENT);
        CHECK(error.code() != std::errc::no_such_file_or_directory);
        CHECK(std::string(error.code().category().name()) == category.name());
        CHECK(std::string(error.what()) == "no: message 2");
      });
}

TEST_CASE_FIXTURE(NothingLeft, "result: what files and streams throw comes back with its paths") {
  ProcessPoolExecutor pool(1);
  check_fails<std::filesystem::filesystem_error>(
      pool.submit([] { std::filesystem::copy_file("/none/from", "/none/to"); }),
      [](const std::filesystem::filesystem_error& error) {
        CHECK(error.path1() == "/none/from");
        CHECK(error.path2() == "/none/to");
        CHECK(error.code() == std::errc::no_such_file_or_directory);
      });
  const auto open_none = [] {
    std::ifstream file;
    file.exceptions(std::ios::failbit);
    file.open("/none");
  };
  check_fails<std::ios_base::failure>(
      pool.submit(open_none),
      [](const std::ios_base::failure& error) { CHECK(error.code() == std::io_errc::stream); });
}

// ---------------------------------------------------------------- nested

template <class Error>
void fail_around(void (*inner)()) {
  try {
    inner();
  } catch (...) {
    std::throw_with_nested(Error("around"));
  }
}

TEST_CASE_FIXTURE(NothingLeft,
                  "result: what is nested stays nested, down to what is no exception") {
  ProcessPoolExecutor pool(1);
  const auto chain = [] { fail_around<Tagged<Tag>>([] { fail_around<Named>([] { throw 42; }); }); };
  check_fails<Tagged<Tag>>(pool.submit(chain), [](const Tagged<Tag>& outer) {
    CHECK(type_name_of(outer) == detail::demangle(typeid(Tagged<Tag>)));
    try {
      std::rethrow_if_nested(outer);
      FAIL_CHECK("nothing is nested in the first");
    } catch (const Named& middle) {
      CHECK(type_name_of(middle) == detail::demangle(typeid(Named)));
      try {
        std::rethrow_if_nested(middle);
        FAIL_CHECK("nothing is nested in the second");
      } catch (const RemoteError& inner) {
        CHECK(type_name_of(inner) == "int");
      }
    }
  });
}

void nest(int depth) {
  try {
    if (depth > 1) nest(depth - 1);
  } catch (...) {
    std::throw_with_nested(std::runtime_error(std::to_string(depth)));
  }
  throw std::runtime_error(std::to_string(depth));
}

TEST_CASE_FIXTURE(NothingLeft, "result: of a chain of a thousand the outermost come back") {
  ProcessPoolExecutor pool(1);
  check_fails<std::runtime_error>(pool.submit(nest, 1000), [](const std::runtime_error& error) {
    CHECK(std::string(error.what()) == "1000");
    CHECK(dynamic_cast<const std::nested_exception*>(&error));
  });
}

// ---------------------------------------------------------------- one's own

TEST_CASE_FIXTURE(NothingLeft,
                  "register_exception: a type comes back as itself, with what it "
                  "holds") {
  REQUIRE(registered);
  ProcessPoolExecutor pool(1);
  check_own_types<Named, Tagged<Tag>>(pool);
  check_fails<Numbered>(pool.submit([] { throw Numbered(7); }), [](const Numbered& error) {
    CHECK(error.number() == 7);
    CHECK(std::string(error.what()) == "numbered");
    CHECK(type_name_of(error) == detail::demangle(typeid(Numbered)));
  });
}

TEST_CASE_FIXTURE(NothingLeft,
                  "register_exception: one that cannot be sent or rebuilt fails its "
                  "future only") {
  ProcessPoolExecutor pool(1);
  const int worker = pool.submit(::getpid).result(limit);
  void (*const tasks[])() = {[] { throw Numbered(1, Numbered::in_save); },
                             [] { throw Numbered(1, Numbered::in_load); },
                             [] { throw Picky("text"); }};
  for (const auto task : tasks) {
    CHECK_THROWS_AS(pool.submit(task).result(limit), SerializationError);
    CHECK(pool.submit(::getpid).result(limit) == worker);
  }
}

TEST_CASE_FIXTURE(NothingLeft,
                  "result: what is not known comes back as RemoteError, which names "
                  "its type") {
  ProcessPoolExecutor pool(1);
  check_fails<RemoteError>(pool.submit([] { throw 42; }), [](const RemoteError& error) {
    CHECK(type_name_of(error) == "int");
    CHECK(std::string(error.what()).starts_with("int"));
  });
  check_fails<RemoteError>(pool.submit(throw_one<Unknown>), [](const RemoteError& error) {
    CHECK(type_name_of(error) == detail::demangle(typeid(Unknown)));
    CHECK(std::string(error.what()).find("Unknown: some text") != std::string::npos);
  });
}

TEST_CASE_FIXTURE(NothingLeft, "result: a what() of 1 MiB comes back in full") {
  ProcessPoolExecutor pool(1);
  const std::string text(1UL << 20, 'x');
  const auto throw_text = [](const std::string& what) { throw std::out_of_range(what); };
  check_fails<std::out_of_range>(pool.submit(throw_text, text),
                                 [&](const std::out_of_range& e) { CHECK(text == e.what()); });
}

// ---------------------------------------------------------------- pools in workers

TEST_CASE_FIXTURE(NothingLeft, "result: an exception keeps its type through a pool in a worker") {
  ProcessPoolExecutor pool(1);
  const auto check = [](const std::exception& error) {
    const auto* const chain = dynamic_cast<const std::nested_exception*>(&error);
    CHECK((chain && chain->nested_ptr()) == (std::string(error.what()) == "around"));
  };
  check_fails<std::out_of_range>(pool.submit([] {
    ProcessPoolExecutor inner(1);
    inner.submit(throw_one<std::out_of_range>).result(limit);
  }),
                                 check);
  check_fails<Named>(pool.submit([] {
    ProcessPoolExecutor inner(1);
    inner.submit([] { fail_around<Named>([] { throw 42; }); }).result(limit);
  }),
                     check);
  check_fails<WorkerDied>(pool.submit([] {
    ProcessPoolExecutor inner(1);
    inner.submit([] { std::raise(SIGKILL); }).result(limit);
  }),
                          [](const WorkerDied& error) { CHECK(error.signal() == SIGKILL); });
}

// ---------------------------------------------------------------- cancelled

TEST_CASE_FIXTURE(NothingLeft, "result: a task that lets CancelledError escape ends cancelled") {
  struct Way {
    void (*task)();
    const char* message;
  };
  const Way ways[] = {{[] { throw CancelledError(); }, ""},
                      {[] { throw CancelledError("enough"); }, "enough"},
                      {[] { throw CancelledByUser("by the user"); }, "by the user"}};
  ProcessPoolExecutor pool(1);
  for (const Way& way : ways) {
    CAPTURE(way.message);
    const auto future = pool.submit(way.task);
    check_fails<CancelledError>(
        future, [&](const CancelledError& error) { CHECK(error.message() == way.message); });
    CHECK(future.cancelled());
  }
}

TEST_SUITE_END();

}  // namespace
