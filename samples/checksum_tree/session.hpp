// What both modes of the program share: the ways in and out.
#pragma once

#include "console.hpp"
#include "file_hasher.hpp"
#include "interrupt.hpp"
#include "output.hpp"

namespace checksum_tree {

/// The program's surroundings. Made before any thread is started: Interrupt asks for that.
struct Session {
  Interrupt interrupt{};
  Work done{};
  Console console{done};
  Output output{console};
};

}  // namespace checksum_tree
