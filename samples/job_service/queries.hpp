// The queries: SQLite blocks, so it runs on threads.
#pragma once

#include <boost/json/object.hpp>
#include <cstddef>
#include <filesystem>
#include <plait/plait.hpp>

#include "places.hpp"

namespace job_service {

inline constexpr int customers = 1'000;

// What one customer has ordered.
struct Turnover {
  long long orders = 0;
  long long cents = 0;
};

// A pool of threads with a connection each to one SQLite file.
class Queries {
 public:
  // Makes the file if there is none. A query that takes longer than `limit` is stopped.
  Queries(std::filesystem::path file, std::size_t workers, std::size_t queue,
          plait::Duration limit);

  // @throws HttpError 503 where too many wait, TimeoutError
  plait::Coroutine<Turnover> turnover(int customer);
  // What /stats shows.
  boost::json::object stats() const { return places_.stats(); }

 private:
  const std::filesystem::path file_;
  const plait::Duration limit_;
  Places places_;
  plait::ThreadPoolExecutor pool_;
};

}  // namespace job_service
