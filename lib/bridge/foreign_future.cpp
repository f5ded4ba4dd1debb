// The threads that wait for other libraries' futures.
#include <plait/bridge/detail/foreign_future.hpp>

#include <pthread.h>

#include <thread>

namespace plait::detail {

void start_thread(std::unique_ptr<ForeignWait> wait) {
  std::thread([wait = std::move(wait)] {
    pthread_setname_np(pthread_self(), "plait-await");
    wait->run();
  }).detach();
}

}  // namespace plait::detail
