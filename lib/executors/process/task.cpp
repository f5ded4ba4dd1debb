// How a task's future ends.
#include "executors/process/task.hpp"

#include <plait/core/errors.hpp>
#include <plait/executors/broken_executor.hpp>

#include "core/describe_exception.hpp"

namespace plait::detail {
namespace {

// Made in advance, as a copy of it needs no memory. Never destroyed: pools may outlive static
// objects.
const BrokenProcessPool& lost = *new BrokenProcessPool(
    "the pool's own thread failed, probably for lack of memory; its log tells more");

}  // namespace

Task::~Task() {
  if (job && accepted && !job->done()) fail_task(*this, std::make_exception_ptr(lost));
}

// A value that cannot be made is an error of this future only.
void finish_task(Task& task, ByteSource* result) {
  FutureState& job = *task.job;
  Phase phase = Phase::finished;
  try {
    if (result) task.call->decode(job, *result);
  } catch (...) {
    try {
      std::throw_with_nested(SerializationError(
          "the result of " + job.describe() +
          " could not be read: " + describe_exception(std::current_exception())));
    } catch (...) {
      phase = job.store_error(std::current_exception());
    }
  }
  job.discard();
  task.job.detach()->end(phase, true);
}

void fail_task(Task& task, std::exception_ptr error) noexcept {
  FutureState& job = *task.job;
  if (!task.started() && !job.start()) return task.job.detach()->release();  // cancelled
  const Phase phase = job.store_error(std::move(error));
  job.discard();
  task.job.detach()->end(phase, true);
}

}  // namespace plait::detail
