// Peer of parallel_map and nested_fib: oneTBB, behind functions so that its headers stay out.
#pragma once

#include <cstddef>
#include <vector>

namespace bench {

/// How oneTBB divides the range of a parallel_for.
enum class Grain { automatic, each_element_a_task };

/// Writes function(in[i]) into out[i] by tbb::parallel_for with `threads` threads, the caller one
/// of them; returns the nanoseconds it took. There for the functions of transform.hpp.
template <class Function>
double tbb_map_nanoseconds(Function function, const std::vector<int>& in, std::vector<int>& out,
                           int threads, Grain grain);

/// Which of a fib call's two children become tasks of their own.
enum class Shape { both_spawned, one_spawned };

/// fib(n) by tbb::task_group with `threads` threads, the caller one of them; nanoseconds.
double tbb_fib_nanoseconds(int n, int threads, Shape shape);

}  // namespace bench
