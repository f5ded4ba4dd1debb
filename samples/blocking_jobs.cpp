// Blocking calls in an async program: thousands of queries of an SQLite file through a thread pool,
// a bounded number at a time, and queries that stop when nobody wants their answer any more.
// Usage: blocking_jobs [ROUNDS]    each round asks once for each of the 1,000 customers
#include <sqlite3.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <plait/plait.hpp>
#include <ranges>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace aio = plait::aio;
using namespace std::chrono_literals;

constexpr int customers = 1'000;
constexpr std::size_t workers = 4;
constexpr std::size_t window = 64;  // queries at a time: enough to keep the workers busy

// --- SQLite: nothing here knows of coroutines
// ------------------------------------------------------

class Database {
 public:
  explicit Database(const std::string& file) {
    if (sqlite3_open(file.c_str(), &handle_) != SQLITE_OK) fail();
  }
  ~Database() { sqlite3_close(handle_); }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  void execute(const char* statements) {
    if (sqlite3_exec(handle_, statements, nullptr, nullptr, nullptr) != SQLITE_OK) fail();
  }

  // The first column of the first row. CancelledError where `stop` ended it.
  long long ask(const std::stop_token& stop, const char* query, int parameter = 0) {
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(handle_, query, -1, &statement, nullptr) != SQLITE_OK) fail();
    sqlite3_bind_int(statement, 1, parameter);  // ignored by a query without a parameter
    sqlite3_progress_handler(handle_, 1'000, stop_requested, const_cast<std::stop_token*>(&stop));
    const int status = sqlite3_step(statement);
    const long long answer = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    if (status == SQLITE_INTERRUPT) throw plait::CancelledError();
    if (status != SQLITE_ROW) fail();
    return answer;
  }

 private:
  // SQLite asks after every 1,000 of its instructions; anything but 0 ends the query.
  static int stop_requested(void* stop) {
    return static_cast<const std::stop_token*>(stop)->stop_requested() ? 1 : 0;
  }
  [[noreturn]] void fail() { throw std::runtime_error(sqlite3_errmsg(handle_)); }

  sqlite3* handle_ = nullptr;
};

// A connection a worker, as no two threads may use one at the same time. There is one file only.
Database& connection(const std::string& file) {
  thread_local Database database(file);
  return database;
}

// The jobs. Their first parameter is how a cancelled query learns of it; who calls does not pass
// it.
long long turnover(std::stop_token stop, std::string file, int customer) {
  return connection(file).ask(stop, "SELECT sum(cents) FROM orders WHERE customer = ?", customer);
}
long long endless(std::stop_token stop, std::string file, std::atomic<int>* started) {
  ++*started;
  return connection(file).ask(
      stop, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n");
}

// --- the async program
// -----------------------------------------------------------------------------

struct Survey {
  std::string file;
  int queries = 0;
  std::atomic<int> endless_started{0};  // outlives the pool, whose jobs count in it
  plait::ThreadPoolExecutor pool{workers};
  aio::Semaphore places{window};
  int done = 0;  // only the loop's thread counts and adds up, so there is no mutex
  long long sum = 0;
};

plait::Coroutine<> ask_one(Survey& survey, int customer) {
  const auto place = co_await survey.places.scoped();  // waits here while 64 others are at it
  auto& loop = aio::get_running_loop();
  survey.sum += co_await loop.run_in_executor(&survey.pool, turnover, survey.file, customer);
  ++survey.done;
}

plait::Coroutine<> show_progress(const Survey& survey) {
  while (survey.done < survey.queries) {
    std::cerr << '\r' << survey.done << " of " << survey.queries << " queries" << std::flush;
    co_await aio::sleep(50ms);
  }
  std::cerr << "\r                                \r";
}

plait::Coroutine<> ask_all(Survey& survey) {
  const auto start = plait::Clock::now();
  co_await aio::task_group([&survey](aio::TaskGroup& group) -> plait::Coroutine<> {
    for (int i = 0; i < survey.queries; ++i) group.create_task(ask_one(survey, i % customers));
    group.create_task(show_progress(survey));
    co_return;
  });
  const std::chrono::duration<double> time = plait::Clock::now() - start;
  std::cerr << survey.queries << " queries in " << time.count() << " s\n";
}

plait::Coroutine<> give_up(Survey& survey) {
  auto& loop = aio::get_running_loop();
  std::vector<plait::Future<long long>> queries;
  for (int i = 0; i < 100; ++i) {
    queries.push_back(
        loop.run_in_executor(&survey.pool, endless, survey.file, &survey.endless_started));
  }
  while (survey.endless_started < static_cast<int>(workers)) co_await aio::sleep(1ms);
  // The queued ones first, or a worker whose query has stopped would begin the next one.
  for (const auto& query : queries | std::views::reverse) query.request_stop();
  co_await aio::wait(queries);  // the workers are free again, not just told to stop
  const auto ended = std::ranges::count_if(queries, [](const auto& q) { return q.cancelled(); });
  std::cout << ended << " endless queries cancelled, " << survey.endless_started
            << " of them while they ran\n";

  try {
    co_await aio::wait_for(
        loop.run_in_executor(&survey.pool, endless, survey.file, &survey.endless_started), 20ms);
  } catch (const plait::TimeoutError&) {
    std::cout << "another one timed out\n";
  }
}

plait::Coroutine<int> query_file(std::string file, int rounds) {
  Survey survey{.file = std::move(file), .queries = rounds * customers};
  Database database(survey.file);
  database.execute(
      "CREATE TABLE orders(customer INTEGER, cents INTEGER);"
      "INSERT INTO orders WITH RECURSIVE n(i) AS"
      "  (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT i % 1000, i % 977 FROM n;"
      "CREATE INDEX by_customer ON orders(customer);");
  co_await ask_all(survey);
  const auto expected = rounds * database.ask({}, "SELECT sum(cents) FROM orders");
  std::cout << survey.queries << " queries add up to " << survey.sum << " cents\n";
  co_await give_up(survey);
  co_return survey.sum == expected ? EXIT_SUCCESS : EXIT_FAILURE;
}

// Exists until the end of the scope.
struct TemporaryFolder {
  TemporaryFolder() {
    if (mkdtemp(path.data()) == nullptr) throw std::runtime_error("no temporary folder");
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string path = std::filesystem::temp_directory_path() / "blocking_jobs.XXXXXX";
};

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::clamp(std::atoi(argv[1]), 1, 1'000) : 10;
  const TemporaryFolder folder;
  return aio::run(query_file(folder.path + "/orders.sqlite", rounds));
}
