// Readers and writers of pipes.
#pragma once

#include <cstddef>
#include <memory>

#include <plait/io/stream_reader.hpp>
#include <plait/io/stream_writer.hpp>

#include "io/owned_fd.hpp"

namespace plait::detail {

class LoopCore;

/// Both run in the loop. @throws std::system_error
std::shared_ptr<aio::StreamReader> open_read_pipe(LoopCore& core, OwnedFd fd, std::size_t limit);
std::shared_ptr<aio::StreamWriter> open_write_pipe(LoopCore& core, OwnedFd fd);

}  // namespace plait::detail
