// What all executors share, and the errors that only they throw.
#include <plait/executors/executor.hpp>

#include <plait/executors/worker_errors.hpp>

#include "core/describe_exception.hpp"

namespace plait {

Executor::Executor(std::shared_ptr<detail::ExecutorCore> core) : core_(std::move(core)) {}

Executor::~Executor() = default;

WorkerDied::WorkerDied(const std::string& what, int pid, int signal, int exit_status)
    : Error(what), pid_(pid), signal_(signal), exit_status_(exit_status) {}

RemoteInfo::~RemoteInfo() = default;

namespace detail {

const std::shared_ptr<ExecutorCore>& core_of(Executor& executor) noexcept { return executor.core_; }

std::string describe_unnamed(const std::type_info& callable) {
  return "unnamed job of type " + demangle(callable);
}

}  // namespace detail
}  // namespace plait
