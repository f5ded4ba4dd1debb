// The errors of objects in which tasks wait.
#include <plait/loop/detail/waiter_list.hpp>

#include <string>

#include <plait/core/errors.hpp>

namespace plait::detail {

std::exception_ptr destroyed_error(const char* what) noexcept {
  try {
    throw RuntimeError(std::string(what) +
                       " was destroyed while a task waited in it: keep it until the tasks that use "
                       "it have ended");
  } catch (...) {
    return std::current_exception();
  }
}

void LoopBinding::bind_slowly() {
  if (!running_loop) {
    throw RuntimeError(std::string("no running event loop: only a task can wait in a ") + what_);
  }
  if (loop_) {
    throw RuntimeError(std::string(what_) +
                       " is bound to a different event loop: tasks of another one have waited in "
                       "it; make one for each loop");
  }
  loop_ = running_loop;
}

// Before the loop runs, after that, and while it is closed, its thread may do what it likes.
void LoopBinding::check_here_slowly() const {
  if (!running_loop && loop_->in_own_thread()) return;
  throw RuntimeError(std::string(what_) +
                     " is bound to a different event loop, whose tasks wait in it: call this "
                     "there, through call_soon_threadsafe()");
}

}  // namespace plait::detail
