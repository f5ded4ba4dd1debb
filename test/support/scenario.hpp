// A helper program that plays a scenario by its name, and what it has to say.
#pragma once

#include <doctest/doctest.h>

#include <string>

#include "child_program.hpp"

namespace plait::test {

struct Scenario {
  const char* name;
  const char* output;
  int exit_status;
};

inline void check_scenario(const std::string& program, const Scenario& scenario) {
  CAPTURE(scenario.name);
  const auto result = run_program(program, {scenario.name});
  CHECK(result.out == scenario.output);
  CHECK(result.err == "");
  CHECK(result.exit_status == scenario.exit_status);
  CHECK(result.signal == 0);
}

}  // namespace plait::test
