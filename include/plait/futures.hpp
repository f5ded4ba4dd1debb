// Everything of namespace plait: the analogue of Python's concurrent.futures.
#pragma once

// What went wrong
#include <plait/core/cancelled_error.hpp>
#include <plait/core/errors.hpp>
#include <plait/core/exception_group.hpp>
#include <plait/core/log.hpp>
#include <plait/executors/broken_executor.hpp>
#include <plait/executors/worker_errors.hpp>

// Results
#include <plait/core/as_completed.hpp>
#include <plait/core/future.hpp>
#include <plait/core/outcome.hpp>
#include <plait/core/promise.hpp>
#include <plait/core/wait.hpp>

// Where functions run
#include <plait/executors/executor.hpp>
#include <plait/executors/inline_executor.hpp>
#include <plait/executors/map.hpp>
#include <plait/executors/process_pool_executor.hpp>
#include <plait/executors/thread_pool_executor.hpp>
