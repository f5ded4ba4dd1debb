// A descriptor that Asio watches and somebody else owns.
#pragma once

#include <memory>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

namespace plait::detail {

/// Each handler of a wait must hold it: on io_uring Asio 1.81 gives the room of a descriptor to the
/// next one while a cancelled wait is still in there, and that would swallow the next one's.
using WatchedDescriptor = std::shared_ptr<boost::asio::posix::stream_descriptor>;

/// @throws boost::system::system_error
inline WatchedDescriptor watch_descriptor(boost::asio::io_context& context, int fd) {
  const auto release = [](boost::asio::posix::stream_descriptor* descriptor) {
    if (descriptor->is_open()) descriptor->release();
    delete descriptor;
  };
  return WatchedDescriptor(new boost::asio::posix::stream_descriptor(context, fd), release);
}

/// Ends all waits; the descriptor may be closed then.
inline void stop_watching(boost::asio::posix::stream_descriptor& descriptor) noexcept {
  boost::system::error_code ignored;
  descriptor.cancel(ignored);
#ifndef BOOST_ASIO_HAS_IO_URING
  descriptor
      .release();  // now: epoll knows descriptors by their number, which may soon be another's
#endif
}

}  // namespace plait::detail
