// A bound on the jobs of a pool: who finds no place is told so at once.
#pragma once

#include <algorithm>
#include <cstddef>

#include <boost/json/object.hpp>

#include "http_message.hpp"

namespace job_service {

// Places for the jobs that run and for those that wait; the loop's thread alone counts them.
//
// A ThreadPoolExecutor has a `max_queue` of its own, but there submit() waits for room. A loop must
// not wait, and clients are better told to come back than left waiting.
class Places {
 public:
  Places(std::size_t workers, std::size_t queue) : workers_(workers), queue_(queue) {}
  Places(const Places&) = delete;
  Places& operator=(const Places&) = delete;

  // A place until the end of a scope.
  class Place {
   public:
    explicit Place(Places& places) : places_(places) { ++places_.taken_; }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() { --places_.taken_; }

   private:
    Places& places_;
  };

  // @throws HttpError where there is none: 503
  Place take() {
    if (taken_ < workers_ + queue_) return Place(*this);
    throw HttpError(http::status::service_unavailable, "too many jobs wait already; try again",
                    http::field::retry_after, "1");
  }

  // What /stats shows.
  boost::json::object stats() const {
    const std::size_t running = std::min(taken_, workers_);
    return {{"workers", workers_},
            {"running", running},
            {"queue", taken_ - running},
            {"queue_limit", queue_}};
  }

 private:
  const std::size_t workers_;
  const std::size_t queue_;
  std::size_t taken_ = 0;
};

}  // namespace job_service
