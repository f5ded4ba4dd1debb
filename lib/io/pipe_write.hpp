// Writing to pipes.
#pragma once

#include <sys/types.h>

#include <string_view>

namespace plait::detail {

/// As ::write(): a pipe that nobody reads is EPIPE, and raises no SIGPIPE, which would be nobody's
/// business here.
ssize_t write_without_sigpipe(int fd, std::string_view data) noexcept;

}  // namespace plait::detail
