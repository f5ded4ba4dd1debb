// Contender: plait's ThreadPoolExecutor.
#include <plait/futures.hpp>

#include "job_loads.hpp"

namespace bench {
namespace {

class PlaitPool {
 public:
  explicit PlaitPool(unsigned workers) : pool_(workers) {}
  template <class Fn>
  plait::Future<int> submit(Fn fn) {
    return pool_.submit(std::move(fn));
  }
  static int read(plait::Future<int>& future) { return future.result(); }

 private:
  plait::ThreadPoolExecutor pool_;
};

}  // namespace

JobContender plait_jobs() { return job_contender<PlaitPool>("plait"); }

}  // namespace bench
