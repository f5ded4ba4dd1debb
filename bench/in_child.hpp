// A measurement in a process of its own, which finds no memory that another has left behind.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <type_traits>

#include "harness.hpp"

namespace bench {

/// What `body` returns in a child of this process, which must have one thread only.
template <class Body>
auto in_child(Body body) {
  using Result = decltype(body());
  static_assert(std::is_trivially_copyable_v<Result>);
  int ends[2];
  require(::pipe(ends) == 0, "pipe()");
  if (::fork() == 0) {
    const Result result = body();
    const bool sent = ::write(ends[1], &result, sizeof(result)) == sizeof(result);
    ::_exit(sent ? 0 : 1);
  }
  ::close(ends[1]);  // so that the child's death ends the read
  Result result{};
  require(::read(ends[0], &result, sizeof(result)) == sizeof(result), "the child's figures");
  ::close(ends[0]);
  ::wait(nullptr);
  return result;
}

}  // namespace bench
