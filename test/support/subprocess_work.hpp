// Subprocesses with pipes, for the tests of them.
#pragma once

#include <memory>
#include <plait/aio.hpp>
#include <string>
#include <utility>
#include <vector>

namespace plait::test {

using ProcessPtr = std::shared_ptr<aio::Process>;
using Args = std::vector<std::string>;

// Input and output are pipes, errors are this process's.
inline aio::SubprocessOptions piped() {
  aio::SubprocessOptions options;
  options.in = options.out = aio::Stdio::pipe;
  return options;
}

inline Coroutine<ProcessPtr> exec(std::string program) {
  return aio::create_subprocess_exec(Args{std::move(program)}, piped());
}
inline Coroutine<ProcessPtr> shell(std::string command) {
  return aio::create_subprocess_shell(std::move(command), piped());
}

}  // namespace plait::test
