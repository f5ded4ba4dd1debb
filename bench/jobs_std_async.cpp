// Contender: std::async, which starts a thread a job.
#include <future>

#include "job_loads.hpp"

namespace bench {
namespace {

class ThreadPerJob {
 public:
  explicit ThreadPerJob(unsigned) {}
  template <class Fn>
  std::future<int> submit(Fn fn) {
    return std::async(std::launch::async, std::move(fn));
  }
  static int read(std::future<int>& future) { return future.get(); }
};

}  // namespace

JobContender std_async_jobs() {
  return {"std::async", &flood<ThreadPerJob>, &round_trip<ThreadPerJob>, nullptr, nullptr};
}

}  // namespace bench
