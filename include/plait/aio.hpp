// Everything of namespace plait::aio: the analogue of Python's asyncio.
#pragma once

// Coroutines and what they wait for
#include <plait/core/context.hpp>
#include <plait/core/coroutine.hpp>
#include <plait/core/future.hpp>
#include <plait/core/generator.hpp>
#include <plait/core/promise.hpp>

// The loop
#include <plait/loop/async_generator.hpp>
#include <plait/loop/call_graph.hpp>
#include <plait/loop/event_loop.hpp>
#include <plait/loop/run.hpp>
#include <plait/loop/sleep.hpp>
#include <plait/loop/task.hpp>

// What tasks wait for
#include <plait/loop/locks.hpp>
#include <plait/loop/queue.hpp>

// Several awaitables at once, and their limits
#include <plait/loop/awaitable.hpp>
#include <plait/loop/gather.hpp>
#include <plait/loop/shield.hpp>
#include <plait/loop/staggered.hpp>
#include <plait/loop/task_group.hpp>
#include <plait/loop/timeout.hpp>
#include <plait/loop/wait.hpp>

// The border to threads, pools and other libraries
#include <plait/bridge/fork_join.hpp>
#include <plait/bridge/run_coroutine_threadsafe.hpp>
#include <plait/bridge/std_future.hpp>
#include <plait/bridge/to_thread.hpp>
#include <plait/bridge/wrap_future.hpp>

// Sockets, pipes, other programs and files
#include <plait/io/connections.hpp>
#include <plait/io/datagrams.hpp>
#include <plait/io/file.hpp>
#include <plait/io/streams.hpp>
#include <plait/io/subprocess.hpp>
