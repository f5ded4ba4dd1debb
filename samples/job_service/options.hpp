// What the command line says.
#pragma once

#include <chrono>
#include <cstddef>
#include <plait/core/clock.hpp>
#include <stdexcept>
#include <string>

#include "http_server.hpp"

namespace job_service {

struct Options : HttpLimits {
  std::size_t port = 8'080;
  std::size_t query_workers = 4;
  std::size_t tile_workers = 2;
  std::size_t queue_limit = 256;  // of each pool
  plait::Duration job = std::chrono::seconds(5);
  std::string database{};  // a file; empty: a temporary one
  bool wants_help = false;
};

// The command line makes no sense; what() says why.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// @throws UsageError
Options parse_options(int argc, char** argv);
std::string help_text();

}  // namespace job_service
