// oneTBB with a given number of threads, for the peers that use it.
#pragma once

#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <cstddef>

#include "harness.hpp"
#include "transform.hpp"

namespace bench {

/// The caller is one of them. Both members limit: the arena this call, the control the threads that
/// oneTBB keeps.
class TbbThreads {
 public:
  explicit TbbThreads(int count)
      : control_(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(count)),
        arena_(count) {
    arena_.execute([count] {  // all threads are there before the clock starts
      tbb::parallel_for(0, 1000 * count, [](int i) { CheapOrDear()(-i); });
    });
  }
  /// How long `body` takes in there.
  template <class Body>
  double nanoseconds_of(Body body) {
    return arena_.execute([&] { return bench::nanoseconds_of(body); });
  }

 private:
  tbb::global_control control_;
  tbb::task_arena arena_;
};

}  // namespace bench
