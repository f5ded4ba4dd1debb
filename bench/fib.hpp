// The right answer of nested_fib.
#pragma once

namespace bench {

/// The n-th Fibonacci number, by iteration.
inline int fib(int n) {
  int a = 0;
  int b = 1;
  for (; n > 0; --n) {
    b += a;
    a = b - a;
  }
  return a;
}

}  // namespace bench
