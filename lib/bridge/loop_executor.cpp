// What an Asio executor needs to know of a loop.
#include <plait/bridge/detail/loop_executor.hpp>

#include <boost/asio/query.hpp>
#include <boost/asio/system_context.hpp>

#include "loop/selector.hpp"

namespace plait::detail {

boost::asio::execution_context& LoopExecutor::query(boost::asio::execution::context_t) const {
  if (!core_)
    return boost::asio::query(boost::asio::system_executor(), boost::asio::execution::context);
  return core_->selector().context();
}

LoopExecutor executor_of_loop(const Scheduler& scheduler) noexcept {
  LoopCore* const core = running_core();
  if (!core || core != &scheduler) return {};
  return LoopExecutor(core->shared_from_this());
}

}  // namespace plait::detail
