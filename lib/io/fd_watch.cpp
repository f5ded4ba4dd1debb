// Taking and giving back descriptors.
#include "io/fd_watch.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include <boost/system/system_error.hpp>

namespace plait::detail {

FdWatch::FdWatch(LoopCore& core, OwnedFd fd, std::function<void()> on_loop_closing)
    : core_(core), fd_(fd.get()), on_loop_closing_(std::move(on_loop_closing)) {
  const int flags = ::fcntl(fd_, F_GETFL);
  if (flags < 0 || ::fcntl(fd_, F_SETFL, flags | O_NONBLOCK) != 0) {
    throw std::system_error(errno, std::generic_category(), "fcntl(O_NONBLOCK)");
  }
  try {
    selector_ = &core.selector();
    descriptor_ = watch_descriptor(selector_->context(), fd_);
    selector_->add_resource(*this, fd_);
    fd.release();
  } catch (const boost::system::system_error& error) {
    throw std::system_error(error.code(), "watching a descriptor");
  }
}

void FdWatch::stop_waiting() noexcept {
  boost::system::error_code ignored;
  if (descriptor_) descriptor_->cancel(ignored);
}

// Who is told may be destroyed by it, and this object with it.
void FdWatch::loop_closing() noexcept {
  close();
  if (const auto told = on_loop_closing_) told();
}

void FdWatch::close() noexcept {
  if (!descriptor_) return;
  unlink();
  selector_->forget_resource(fd_);
  stop_watching(*descriptor_);
  descriptor_.reset();
  ::close(std::exchange(fd_, -1));
}

}  // namespace plait::detail
