// What process_code submits from two translation units, in which everything is called the same.
#pragma once

#include <string>

#include <plait/executors/process_pool_executor.hpp>

namespace plait::test {

// The results in a row.
std::string run_twins(ProcessPoolExecutor& pool);
std::string run_twins_elsewhere(ProcessPoolExecutor& pool);

}  // namespace plait::test
