// Random numbers that can be repeated: the seed is printed, and PLAIT_SEED sets it.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>

namespace plait::test {

using Engine = std::mt19937_64;

inline Engine seeded_engine(const char* what) {
  const char* text = std::getenv("PLAIT_SEED");
  const std::uint64_t seed =
      text != nullptr ? std::strtoull(text, nullptr, 10) : std::random_device()();
  std::printf("%s: PLAIT_SEED=%llu\n", what, static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  return Engine(seed);
}

// A number from 0 to below the bound.
inline std::size_t pick(Engine& engine, std::size_t bound) {
  return static_cast<std::size_t>(engine() % bound);
}

// A moment of work, from none to some microseconds, so that threads meet at ever new places.
inline void dawdle(Engine& engine, std::size_t most = 2000) {
  for (volatile std::size_t left = pick(engine, most); left > 0;) {
    const std::size_t now = left;
    left = now - 1;
  }
}

}  // namespace plait::test
