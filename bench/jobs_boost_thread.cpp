// Contender: Boost.Thread's basic_thread_pool, with boost::async for the results.
#include "job_contender.hpp"

#ifdef __clang__

namespace bench {

// Clang 19 rejects the futures of Boost.Thread 1.81 with executors.
std::vector<JobContender> boost_thread_jobs() { return {}; }

}  // namespace bench

#else

#define BOOST_THREAD_VERSION 4
#define BOOST_THREAD_PROVIDES_EXECUTORS
#include <boost/thread/executors/basic_thread_pool.hpp>
#include <boost/thread/future.hpp>

#include "job_loads.hpp"

namespace bench {
namespace {

class BoostThreadPool {
 public:
  explicit BoostThreadPool(unsigned workers) : pool_(workers) {}
  template <class Fn>
  boost::future<int> submit(Fn fn) {
    return boost::async(pool_, std::move(fn));
  }
  static int read(boost::future<int>& future) { return future.get(); }

 private:
  boost::executors::basic_thread_pool pool_;
};

}  // namespace

std::vector<JobContender> boost_thread_jobs() {
  return {job_contender<BoostThreadPool>("Boost.Thread")};
}

}  // namespace bench

#endif
