// Jobs in processes, and what becomes of their deaths.
#include "tile_workers.hpp"

#include <sys/prctl.h>

#include <cstdlib>
#include <utility>

namespace job_service {
namespace {

constexpr int most_attempts = 5;

std::string abort_job() { std::abort(); }

}  // namespace

TileWorkers::TileWorkers(std::size_t workers, std::size_t queue, plait::Duration limit)
    : workers_(workers), limit_(limit), places_(workers, queue) {
  replace(nullptr);
}

// To render again does no harm, so a tile survives the end of the whole pool.
plait::Coroutine<std::string> TileWorkers::render(Tile tile) {
  for (int attempt = 1;; ++attempt) {
    try {
      co_return co_await run("render", render_tile, tile);
    } catch (const plait::BrokenProcessPool&) {
      if (attempt == most_attempts) throw;
    }
  }
}

plait::Coroutine<std::string> TileWorkers::crash() { return run("crash", abort_job); }

template <class Fn, class... Args>
plait::Coroutine<std::string> TileWorkers::run(const char* name, Fn fn, Args... args) {
  const auto place = places_.take();
  const auto pool = pool_;
  plait::Future<std::string> job;
  try {
    job = pool->submit({.name = name, .timeout = limit_}, fn, args...);
    co_return co_await job;
  } catch (const plait::CancelledError&) {
    pool->kill_task(job);  // nobody wants it any more, and a process hears of no stop request
    throw;
  } catch (const plait::BrokenProcessPool&) {
    replace(pool);
    throw;
  } catch (const plait::WorkerDied&) {
    ++deaths_;
    throw;
  } catch (const plait::TimeoutError&) {
    ++deaths_;
    throw;
  }
}

// A pool breaks where its workers die one after the other without a result in between. That may be
// the work of few clients, so the others get a new one.
void TileWorkers::replace(const std::shared_ptr<Pool>& broken) {
  if (pool_ != broken) return;  // another job has done so
  if (broken) {
    ++deaths_;  // the one that broke it
    ++restarts_;
  }
  pool_ = std::make_shared<Pool>(plait::ProcessPoolOptions{
      .max_workers = workers_,
      .initializer = [] { ::prctl(PR_SET_DUMPABLE, 0); },  // in each worker: no core files
  });
}

boost::json::object TileWorkers::stats() const {
  auto stats = places_.stats();
  stats["alive"] = pool_->worker_pids().size();
  stats["deaths"] = deaths_;
  stats["restarts"] = restarts_;
  return stats;
}

}  // namespace job_service
