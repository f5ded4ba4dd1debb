// SQLite, and the pool whose threads wait for it. Database knows nothing of coroutines.
#include "queries.hpp"

#include <sqlite3.h>

#include <stdexcept>
#include <stop_token>
#include <string>
#include <utility>

namespace job_service {
namespace {

constexpr char create_orders[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE IF NOT EXISTS orders(customer INTEGER, cents INTEGER);"
    "CREATE INDEX IF NOT EXISTS by_customer ON orders(customer);"
    "INSERT INTO orders WITH RECURSIVE n(i) AS"
    "  (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
    "  SELECT i % 1000, i % 977 FROM n WHERE NOT EXISTS (SELECT 1 FROM orders);"
    "COMMIT";
constexpr char select_turnover[] = "SELECT count(*), sum(cents) FROM orders WHERE customer = ?";

class Database {
 public:
  explicit Database(const std::filesystem::path& file) {
    if (sqlite3_open(file.c_str(), &handle_) == SQLITE_OK) return;
    const std::string why = sqlite3_errmsg(handle_);
    sqlite3_close(handle_);
    throw std::runtime_error(file.string() + ": " + why);
  }
  ~Database() { sqlite3_close(handle_); }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  void execute(const char* statements) {
    sqlite3_busy_timeout(handle_, 5'000);
    if (sqlite3_exec(handle_, statements, nullptr, nullptr, nullptr) != SQLITE_OK) fail();
  }

  // CancelledError where `stop` ended it, whether it ran or waited for somebody else's lock.
  Turnover turnover(const std::stop_token& stop, int customer) {
    auto* const argument = const_cast<std::stop_token*>(&stop);
    sqlite3_progress_handler(handle_, 1'000, stop_requested, argument);
    sqlite3_busy_handler(handle_, wait_for_lock, argument);
    sqlite3_stmt* statement = nullptr;
    int status = sqlite3_prepare_v2(handle_, select_turnover, -1, &statement, nullptr);
    if (status == SQLITE_OK) {
      sqlite3_bind_int(statement, 1, customer);
      status = sqlite3_step(statement);
    }
    const Turnover result{sqlite3_column_int64(statement, 0), sqlite3_column_int64(statement, 1)};
    sqlite3_finalize(statement);
    if (status == SQLITE_ROW) return result;
    if (stop.stop_requested()) throw plait::CancelledError();
    fail();
  }

 private:
  // SQLite asks after every 1,000 of its instructions; anything but 0 ends the query.
  static int stop_requested(void* stop) {
    return static_cast<const std::stop_token*>(stop)->stop_requested() ? 1 : 0;
  }
  // SQLite asks while another process has locked the file; 0 ends the query.
  static int wait_for_lock(void* stop, int) {
    sqlite3_sleep(1);
    return stop_requested(stop) ? 0 : 1;
  }
  [[noreturn]] void fail() { throw std::runtime_error(sqlite3_errmsg(handle_)); }

  sqlite3* handle_ = nullptr;
};

// The job. Its first parameter, which who submits it does not pass, is how it learns that nobody
// wants its result any more.
Turnover ask(std::stop_token stop, std::filesystem::path file, int customer) {
  thread_local Database database(file);  // no two threads may use one connection
  return database.turnover(stop, customer);
}

}  // namespace

Queries::Queries(std::filesystem::path file, std::size_t workers, std::size_t queue,
                 plait::Duration limit)
    : file_(std::move(file)), limit_(limit), places_(workers, queue), pool_(workers) {
  Database(file_).execute(create_orders);
}

plait::Coroutine<Turnover> Queries::turnover(int customer) {
  const auto place = places_.take();
  co_return co_await plait::aio::wait_for(pool_.submit(ask, file_, customer), limit_);
}

}  // namespace job_service
