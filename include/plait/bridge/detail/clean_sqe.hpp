// What Boost 1.81's Asio needs to be right on io_uring. Compiled into whatever includes Asio then.
#pragma once

#ifdef BOOST_ASIO_HAS_IO_URING

// By -Dio_uring_get_sqe=plait_clean_sqe Asio calls the function below instead of liburing's.
#pragma push_macro("io_uring_get_sqe")
#undef io_uring_get_sqe
#include <liburing.h>

// Asio expects a request without user data, as older libraries gave it; with that of an earlier
// request, the end of a cancellation is taken for the end of somebody's operation.
inline io_uring_sqe* plait_clean_sqe(io_uring* ring) {
  io_uring_sqe* const request = io_uring_get_sqe(ring);
  if (request) request->user_data = 0;
  return request;
}
#pragma pop_macro("io_uring_get_sqe")

#endif
