// What a process knows of its being a worker.
#pragma once

namespace plait::detail {

/// Whether process_bootstrap() was called in this process.
bool bootstrapped() noexcept;
/// 0: not a worker; else by how many pools it is nested.
int worker_depth() noexcept;
/// Serves its pool until that ends. Never returns.
[[noreturn]] void run_worker() noexcept;

}  // namespace plait::detail
