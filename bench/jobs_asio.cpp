// Contender: Boost.Asio's thread_pool, with std::packaged_task for the results.
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <future>

#include "job_loads.hpp"

namespace bench {
namespace {

class AsioPool {
 public:
  explicit AsioPool(unsigned workers) : pool_(workers) {}
  ~AsioPool() { pool_.join(); }
  AsioPool(const AsioPool&) = delete;
  AsioPool& operator=(const AsioPool&) = delete;
  template <class Fn>
  std::future<int> submit(Fn fn) {
    std::packaged_task<int()> task(std::move(fn));
    std::future<int> future = task.get_future();
    boost::asio::post(pool_, std::move(task));
    return future;
  }
  static int read(std::future<int>& future) { return future.get(); }

 private:
  boost::asio::thread_pool pool_;
};

}  // namespace

JobContender asio_jobs() { return job_contender<AsioPool>("Boost.Asio"); }

}  // namespace bench
