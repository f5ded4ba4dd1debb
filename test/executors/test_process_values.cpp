// Tests of what travels to worker processes and back, and of what becomes of it when either end
// fails on the way.
#include <doctest/doctest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include <plait/executors/process_pool_executor.hpp>

#include "../support/faulty.hpp"
#include "../support/process_probe.hpp"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

namespace {

constexpr auto limit = 20s;
constexpr std::size_t mebibyte = 1UL << 20;

// -- what the compiler is to refuse, and what not

template <class T>
concept Travels = detail::Encodable<T> && std::default_initializable<T> && !std::is_pointer_v<T>;
template <class F>
concept CallableTravels = detail::FunctionPointer<F> || detail::Stateless<F> || Travels<F>;

int captured = 0;
using ByReference = decltype([&x = captured] { return x; });
using ByValue = decltype([x = 1] { return x; });
using Captureless = decltype([] { return 1; });

static_assert(!Travels<int*> && !Travels<const char*> && !Travels<void*>);
static_assert(!Travels<std::string_view> && !Travels<std::span<int>>);
static_assert(!Travels<std::reference_wrapper<int>> && !Travels<std::function<void()>>);
static_assert(!Travels<Future<int>> && !Travels<std::thread> && !Travels<std::stop_token>);
static_assert(!Travels<std::decay_t<decltype("a literal")>>);
static_assert(!CallableTravels<ByReference>);
static_assert(!CallableTravels<ByValue>);
static_assert(!CallableTravels<std::function<int()>>);
static_assert(CallableTravels<Captureless>);
static_assert(CallableTravels<int (*)()> && CallableTravels<int (*)() noexcept>);

// -- what travels

enum class Colour { red, green };
enum Old { old_zero, old_one };
struct Mixed {
  Colour colour = Colour::red;
  std::vector<std::byte> bytes;
  std::optional<std::pair<int, std::string>> pair;
  friend bool operator==(const Mixed&, const Mixed&) = default;
};
// As Boost.Serialization has it.
class BoostStyle {
 public:
  BoostStyle() = default;
  explicit BoostStyle(int number) : number_(number) {}
  friend bool operator==(const BoostStyle&, const BoostStyle&) = default;
  template <class Archive>
  void serialize(Archive& archive, unsigned) {
    archive & number_;
  }

 private:
  int number_ = 0;
};
struct Minimal {
  int number = 0;
  friend bool operator==(const Minimal&, const Minimal&) = default;
  template <class Archive>
  int save_minimal(const Archive&) const {
    return number;
  }
  template <class Archive>
  void load_minimal(const Archive&, const int& value) {
    number = value;
  }
};
// Counts its own calls: its call operator is not const.
struct Sum {
  int total = 0;
  int operator()(int value) { return total += value; }
};
// reads less than it has written
class Short {
 public:
  template <class Archive>
  void save(Archive& archive) const {
    archive(1, 2);
  }
  template <class Archive>
  void load(Archive& archive) {
    int first = 0;
    archive(first);
  }
};

template <class T>
T same(T value) {
  return value;
}
int pid() { return ::getpid(); }

std::size_t take_both(Faulty, const std::string& text) { return text.size(); }

// -- helpers

// Each case ends with it: no child and no descriptor are left.
class NothingLeft {
 public:
  ~NothingLeft() {
    CHECK_FALSE(has_children());
    CHECK(descriptor_count() == descriptors_);
  }

 private:
  std::size_t descriptors_ = descriptor_count();
};

template <class T>
void check_round_trip(ProcessPoolExecutor& pool, const T& value) {
  CHECK(pool.submit(same<T>, value).result(limit) == value);
}

// What is nested in the SerializationError that the future fails with.
template <class T>
std::string cause_of(const Future<T>& future) {
  try {
    future.result(limit);
  } catch (const SerializationError& error) {
    try {
      std::rethrow_if_nested(error);
    } catch (const std::exception& cause) {
      return cause.what();
    }
    return "no cause";
  }
  return "no SerializationError";
}

template <class T>
void check_died(const Future<T>& future, int signal, int exit_status) {
  try {
    future.result(limit);
    FAIL_CHECK("its worker did not die");
  } catch (const WorkerDied& error) {
    CHECK(error.signal() == signal);
    CHECK(error.exit_status() == exit_status);
  }
}

TEST_SUITE_BEGIN("executors/process_values");

// ---------------------------------------------------------------- what travels

TEST_CASE_FIXTURE(NothingLeft, "submit: what cereal can walk arrives as it was sent") {
  ProcessPoolExecutor pool(1);
  check_round_trip(pool, Colour::green);
  check_round_trip(pool, old_one);
  check_round_trip(pool, Mixed{Colour::green, {std::byte{1}, std::byte{255}}, {{7, "seven"}}});
  check_round_trip(pool, BoostStyle(9));
  check_round_trip(pool, Minimal{11});
  check_round_trip(pool, std::vector<bool>{true, false, true});
  check_round_trip(pool, std::variant<std::monostate, int>());
  check_round_trip(pool, std::unordered_map<std::string, std::set<int>>{{"a", {1, 2}}, {"b", {}}});
  check_round_trip(pool, std::filesystem::path("/tmp/\xc3\xa9"));
  check_round_trip(pool, std::vector<std::monostate>(1000));
  check_round_trip(pool, std::string("with\0zero", 9));
  check_round_trip(pool, std::tuple<std::chrono::nanoseconds, long double>(5ns, 0.5L));
  check_round_trip(pool, std::tuple<>());
}

TEST_CASE_FIXTURE(NothingLeft, "submit: a call operator need not be const") {
  ProcessPoolExecutor pool(1);
  CHECK(pool.submit(Sum{10}, 5).result(limit) == 15);
  CHECK(pool.submit([](int value) mutable { return ++value; }, 5).result(limit) == 6);
}

TEST_CASE_FIXTURE(NothingLeft,
                  "submit: functions of equal type in program and libraries are told "
                  "apart") {
  ProcessPoolExecutor pool(1);
  const auto lambdas = std::tuple([](int a) { return a + 1; }, [](int a) { return a + 2; });
  CHECK(pool.submit(std::get<0>(lambdas), 1).result(limit) == 2);
  CHECK(pool.submit(std::get<1>(lambdas), 1).result(limit) == 3);
  CHECK(pool.submit(+std::get<0>(lambdas), 1).result(limit) == 2);
  CHECK(pool.submit(+std::get<1>(lambdas), 1).result(limit) == 3);
  CHECK(pool.submit(static_cast<int (*)(int)>(&std::abs), -5).result(limit) == 5);
  CHECK(pool.submit(&::toupper, 'a').result(limit) == 'A');
}

TEST_CASE_FIXTURE(NothingLeft, "submit: code that lies in no module fails its future only") {
  ProcessPoolExecutor pool(1);
  const auto page = std::make_unique<char[]>(4096);
  // SAFETY: it is never called here.
  const auto code = reinterpret_cast<int (*)()>(page.get());
  CHECK_THROWS_AS((void)pool.submit(code).result(limit), SerializationError);
  CHECK(pool.submit(same<int>, 1).result(limit) == 1);
}

// ---------------------------------------------------------------- failures on the way

TEST_CASE_FIXTURE(NothingLeft,
                  "result: what throws on the way fails that future only, and kills "
                  "no worker") {
  ProcessPoolExecutor pool(1);
  const int worker = pool.submit(pid).result(limit);
  for (const Moment moment : {Moment::encode_argument, Moment::decode_argument,
                              Moment::encode_result, Moment::decode_result}) {
    CAPTURE(static_cast<int>(moment));
    CHECK(cause_of(pool.submit(same<Faulty>, Faulty(moment, throw_it))) == "on the way");
    CHECK(pool.submit(pid).result(limit) == worker);
  }
}

TEST_CASE_FIXTURE(NothingLeft,
                  "result: what crashes on the way in a worker fails that future "
                  "only") {
  struct Crash {
    Failure failure;
    int signal;
    int exit_status;
  };
  ProcessPoolExecutor pool(1);
  for (const Moment moment : {Moment::decode_argument, Moment::encode_result}) {
    for (const Crash& crash : {Crash{segfault, SIGSEGV, 0}, Crash{leave, 0, 3}}) {
      auto before = pool.submit(same<int>, 1);
      auto crashes = pool.submit(same<Faulty>, Faulty(moment, crash.failure));
      auto after = pool.submit(same<int>, 2);
      CHECK(before.result(limit) == 1);
      check_died(crashes, crash.signal, crash.exit_status);
      CHECK(after.result(limit) == 2);
    }
  }
}

TEST_CASE_FIXTURE(NothingLeft, "result: of 100 bad and 100 good tasks the good ones end well") {
  ProcessPoolExecutor pool(2);
  std::vector<Future<Faulty>> bad;
  std::vector<Future<int>> good;
  for (int i = 0; i < 100; ++i) {
    bad.push_back(pool.submit(same<Faulty>, Faulty(static_cast<Moment>(i % 4), throw_it)));
    good.push_back(pool.submit(same<int>, i));
  }
  for (int i = 0; i < 100; ++i) {
    const auto place = static_cast<std::size_t>(i);
    CHECK(good[place].result(limit) == i);
    CHECK(cause_of(bad[place]) == "on the way");
  }
}

TEST_CASE_FIXTURE(NothingLeft,
                  "result: a large argument behind one that cannot be read is not "
                  "taken for the next task") {
  ProcessPoolExecutor pool(1);
  for (int i = 0; i < 3; ++i) {
    const Faulty faulty(Moment::decode_argument, throw_it);
    auto bad = pool.submit(take_both, faulty, std::string(64 * mebibyte, 'x'));
    auto good = pool.submit(same<std::string>, std::string(mebibyte, 'y'));
    CHECK(cause_of(bad) == "on the way");
    CHECK(good.result(limit) == std::string(mebibyte, 'y'));
  }
}

TEST_CASE_FIXTURE(NothingLeft,
                  "result: a load() that leaves bytes behind is an error, not a "
                  "wrong argument") {
  ProcessPoolExecutor pool(1);
  const auto second = [](Short, int value) { return value; };
  CHECK_THROWS_AS((void)pool.submit(second, Short(), 7).result(limit), SerializationError);
  CHECK_THROWS_AS((void)pool.submit(same<Short>, Short()).result(limit), SerializationError);
  CHECK(pool.submit(same<int>, 1).result(limit) == 1);
}

TEST_SUITE_END();

}  // namespace
