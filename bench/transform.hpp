// The functions that parallel_map applies to each element.
#pragma once

#include <cstdint>

namespace bench {

/// Rounds of arithmetic that a cheap element takes: with them oneTBB takes the 4 to 5 ns an element
/// on two CPUs that the aim was set against.
inline constexpr int cheap_rounds = 5;

/// How many times dearer than a cheap element a dear one is.
inline constexpr int dear_factor = 100;

/// A scrambling of the bits, of which one round takes 1.5 to 3.5 ns.
inline int scramble(int element, int rounds) {
  auto bits = static_cast<std::uint64_t>(element);
  for (; rounds > 0; --rounds) {
    bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9u;
    bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebu;
    bits ^= bits >> 31;
  }
  return static_cast<int>(bits);
}

/// Cheap for an element >= 0, `dear_factor` times that for one < 0.
struct CheapOrDear {
  int operator()(int element) const {
    return scramble(element, element < 0 ? cheap_rounds * dear_factor : cheap_rounds);
  }
};

/// Next to nothing an element: what is left is the cost of the map itself.
struct NextToNothing {
  int operator()(int element) const { return scramble(element, 1); }
};

}  // namespace bench
