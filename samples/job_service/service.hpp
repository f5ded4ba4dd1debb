// The routes: which request is which job.
#pragma once

#include <boost/json/object.hpp>
#include <filesystem>
#include <functional>
#include <map>
#include <plait/core/coroutine.hpp>
#include <string>

#include "http_message.hpp"
#include "latency.hpp"
#include "options.hpp"
#include "parameters.hpp"
#include "queries.hpp"
#include "tile_workers.hpp"

namespace job_service {

// Answers requests. The loop's thread runs all of it but the jobs, so there is no lock.
class Service {
 public:
  Service(const Options& options, const std::filesystem::path& database);

  // @throws HttpError, and what failed in the service itself
  plait::Coroutine<Response> answer(const Request& request);

 private:
  using Answer = plait::Coroutine<Response> (Service::*)(Parameters);
  struct Route {
    Answer answer;
    Latency latency{};
  };

  plait::Coroutine<Response> page(Parameters parameters);
  plait::Coroutine<Response> query(Parameters parameters);
  plait::Coroutine<Response> render(Parameters parameters);
  plait::Coroutine<Response> crash(Parameters parameters);
  plait::Coroutine<Response> stats(Parameters parameters);

  Queries queries_;
  TileWorkers tiles_;
  std::map<std::string, Route, std::less<>> routes_;
};

}  // namespace job_service
