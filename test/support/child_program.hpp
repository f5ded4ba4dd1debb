// Runs one of the helper programs of test/support/programs and collects what it said and how it
// ended.
#pragma once

#include <string>
#include <vector>

namespace plait::test {

struct ProgramResult {
  int exit_status = -1;    // -1: ended by a signal
  int signal = 0;          // 0: ended by exit
  bool timed_out = false;  // it was killed because it outlived its deadline
  std::string out, err;
};

// program stands in the folder of the running test program, where Meson builds both.
ProgramResult run_program(const std::string& program, const std::vector<std::string>& arguments);

}  // namespace plait::test
