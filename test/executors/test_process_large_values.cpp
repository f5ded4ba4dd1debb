// Tests of large values on their way to worker processes and back, and of their lengths.
#include <doctest/doctest.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <plait/executors/process_pool_executor.hpp>

#include "../support/faulty.hpp"
#include "../support/process_probe.hpp"
#include "executors/process/frames.hpp"

using namespace plait;
using namespace plait::test;
using namespace std::chrono_literals;

namespace {

constexpr auto limit = 20s;
constexpr std::size_t mebibyte = 1UL << 20;

int same(int value) { return value; }
std::size_t size_of(std::vector<char> bytes) { return bytes.size(); }  // NOLINT: as is submitted
std::size_t take_both(Faulty, const std::string& text) { return text.size(); }

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

// A folder for files whose existence is a signal between processes.
class Signals {
 public:
  Signals() {
    std::string name = std::filesystem::temp_directory_path() / "plait-XXXXXX";
    REQUIRE(::mkdtemp(name.data()));
    folder_ = name;
  }
  ~Signals() { std::filesystem::remove_all(folder_); }
  std::string at(const char* name) const { return folder_ / name; }

 private:
  std::filesystem::path folder_;
};
void give(const std::string& signal) { std::ofstream{signal}; }
bool wait_for(const std::string& signal) {
  return test::eventually([&] { return std::filesystem::exists(signal); });
}

bool is_zombie(int process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");
  std::string text{std::istreambuf_iterator<char>(file), {}};
  return text.find(") Z") != std::string::npos;
}
std::size_t available_memory() {
  std::ifstream file("/proc/meminfo");
  std::string word;
  std::size_t kibibytes = 0;
  while (file >> word) {
    if (word == "MemAvailable:") file >> kibibytes;
  }
  return kibibytes * 1024;
}

TEST_SUITE_BEGIN("executors/process_large_values");

TEST_CASE_FIXTURE(NothingLeft,
                  "result: a worker that is killed while 64 MiB are sent to it has "
                  "died, and the next one works") {
  ProcessPoolExecutor pool(1);
  const Faulty faulty(Moment::decode_argument, be_killed);
  auto killed = pool.submit(take_both, faulty, std::string(64 * mebibyte, 'x'));
  auto next = pool.submit(size_of, std::vector<char>(64 * mebibyte));
  check_died(killed, SIGKILL, 0);
  CHECK(next.result(limit) == 64 * mebibyte);
}

// Kills its process as soon as something of its result lies in the socket.
std::string die_while_sending(const std::string& started, const std::string& go) {
  give(started);
  wait_for(go);
  std::thread([] {
    int unread = 0;
    while (::ioctl(detail::worker_socket, SIOCOUTQ, &unread) == 0 && unread == 0) ::sched_yield();
    std::raise(SIGKILL);
  }).detach();
  return std::string(64 * mebibyte, 'x');
}

// The pool reads nothing meanwhile, as its thread is in a done-callback.
TEST_CASE_FIXTURE(NothingLeft,
                  "result: of a worker that is killed while it sends 64 MiB no part "
                  "arrives") {
  const Signals signals;
  ProcessPoolExecutor pool(2);
  auto big = pool.submit(die_while_sending, signals.at("started"), signals.at("go"));
  REQUIRE(wait_for(signals.at("started")));
  const int worker = pool.worker_pids().at(0);
  auto other = pool.submit(wait_for, signals.at("other"));
  other.add_done_callback([&](const auto&) {
    give(signals.at("go"));
    CHECK(eventually([&] { return is_zombie(worker); }));
  });
  give(signals.at("other"));
  check_died(big, SIGKILL, 0);
  CHECK(pool.submit(same, 1).result(limit) == 1);
}

// More than one system call takes, and more than an int counts. It takes four times the memory and
// tens of seconds, so these two run only where PLAIT_TEST_LARGE is set.
constexpr std::size_t huge = (2UL << 30) + 1;
bool skip_huge() { return !std::getenv("PLAIT_TEST_LARGE") || available_memory() < 4 * huge; }

TEST_CASE_FIXTURE(NothingLeft,
                  "submit: more than 2 GiB arrive in full" * doctest::skip(skip_huge())) {
  ProcessPoolExecutor pool(1);
  const auto sum = [](std::vector<char> bytes) { return bytes.size() + bytes.back(); };
  std::vector<char> bytes(huge);
  bytes.back() = 3;
  CHECK(pool.submit(sum, std::move(bytes)).result(limit) == huge + 3);
}

TEST_CASE_FIXTURE(NothingLeft,
                  "result: more than 2 GiB come back in full" * doctest::skip(skip_huge())) {
  ProcessPoolExecutor pool(1);
  auto made = pool.submit(
      [](std::size_t count) {
        std::vector<char> bytes(count);
        bytes.back() = 3;
        return bytes;
      },
      huge);
  REQUIRE(made.wait_for(limit));
  const std::vector<char> bytes = made.take();
  CHECK(bytes.size() == huge);
  CHECK(bytes.back() == 3);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
// Limits the address space of this process, but not of workers that live already.
class LittleMemory {
 public:
  explicit LittleMemory(std::size_t more) {
    std::ifstream file("/proc/self/statm");
    std::size_t pages = 0;
    file >> pages;
    ::getrlimit(RLIMIT_AS, &before_);
    rlimit now = before_;
    now.rlim_cur = pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) + more;
    ::setrlimit(RLIMIT_AS, &now);
  }
  ~LittleMemory() { ::setrlimit(RLIMIT_AS, &before_); }

 private:
  rlimit before_{};
};

struct Held {
  std::vector<char> bytes;
};

// One is received where it is to lie, the other one is decoded.
TEST_CASE_FIXTURE(NothingLeft, "result: one for which there is no memory fails that future only") {
  ProcessPoolExecutor pool(1);
  pool.submit(same, 1).result(limit);
  const auto make = [](std::size_t count) { return std::vector<char>(count); };
  const auto make_held = [](std::size_t count) { return Held{std::vector<char>(count)}; };
  {
    const LittleMemory little(256 * mebibyte);
    CHECK_THROWS_AS((void)pool.submit(make, 1024 * mebibyte).result(limit), std::exception);
    CHECK(pool.submit(same, 1).result(limit) == 1);
    CHECK_THROWS_AS((void)pool.submit(make_held, 1024 * mebibyte).result(limit), std::exception);
  }
  CHECK(pool.submit(same, 1).result(limit) == 1);
}
#endif

// ---------------------------------------------------------------- lengths

TEST_CASE("payload: lengths over 4 GiB are counted in full") {
  static_assert(sizeof(detail::FrameHeader::size) == 8);
  constexpr std::size_t size = (5UL << 30) + 3;
  void* const sparse =
      ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  REQUIRE(sparse != MAP_FAILED);
  detail::Payload payload;
  payload.append("ab", 2);
  payload.refer(sparse, size);
  payload.append("c", 1);
  CHECK(payload.size() == size + 3);
  std::vector<std::size_t> pieces;
  payload.for_each_piece([&](std::string_view piece) { pieces.push_back(piece.size()); });
  CHECK(pieces == std::vector<std::size_t>{2, size, 1});

  detail::BufferedBytes source(std::string_view(static_cast<const char*>(sparse), size));
  CHECK(source.remaining() == size);
  CHECK_NOTHROW(detail::check_size(size, source));
  CHECK_THROWS_AS(detail::check_size(size + 1, source), SerializationError);
  ::munmap(sparse, size);
}

TEST_CASE("payload: a length that is greater than what came is an error before there is room") {
  const std::uint64_t lengths[] = {1, 1UL << 32, 1UL << 61, ~0UL};
  for (const std::uint64_t length : lengths) {
    CAPTURE(length);
    detail::Payload payload;
    detail::FrameWriter out(payload);
    out(length);
    std::string bytes;
    payload.for_each_piece([&](std::string_view piece) { bytes += piece; });
    detail::BufferedBytes source(bytes);
    detail::FrameReader in(source);
    std::vector<double> numbers;
    CHECK_THROWS_AS(detail::read_value(in, numbers), std::exception);
    CHECK(numbers.empty());
  }
}

TEST_SUITE_END();

}  // namespace
