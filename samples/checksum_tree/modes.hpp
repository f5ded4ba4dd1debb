// The two things the program can do.
#pragma once

#include "options.hpp"
#include "session.hpp"

namespace checksum_tree {

/// Prints the checksums of all files below `options.paths`. The result is the exit status.
int hash_trees(const Options& options, Session& session);

/// Verifies the files of the list `*options.list`. The result is the exit status.
int check_list(const Options& options, Session& session);

}  // namespace checksum_tree
