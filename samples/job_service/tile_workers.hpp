// The renderer's processes: what crashes there fails one request.
#pragma once

#include <boost/json/object.hpp>
#include <cstddef>
#include <memory>
#include <plait/plait.hpp>
#include <string>

#include "places.hpp"
#include "tiles.hpp"

namespace job_service {

// A pool of processes that is replaced should it break.
class TileWorkers {
 public:
  // The worker of a tile that takes longer than `limit` is killed.
  TileWorkers(std::size_t workers, std::size_t queue, plait::Duration limit);

  // @throws HttpError 503 where too many wait, TimeoutError, WorkerDied
  plait::Coroutine<std::string> render(Tile tile);
  // Kills a worker in the middle of a job. @throws WorkerDied, as a rule
  plait::Coroutine<std::string> crash();
  // What /stats shows.
  boost::json::object stats() const;

 private:
  using Pool = plait::ProcessPoolExecutor;

  template <class Fn, class... Args>
  plait::Coroutine<std::string> run(const char* name, Fn fn, Args... args);
  void replace(const std::shared_ptr<Pool>& broken);

  const std::size_t workers_;
  const plait::Duration limit_;
  Places places_;
  std::shared_ptr<Pool> pool_;
  std::size_t deaths_ = 0;
  std::size_t restarts_ = 0;  // of the whole pool
};

}  // namespace job_service
