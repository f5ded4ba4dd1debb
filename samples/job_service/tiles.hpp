// Square pieces of a picture of the Mandelbrot set.
#pragma once

#include <string>

namespace job_service {

inline constexpr int deepest_zoom = 40;  // beyond it a double cannot tell neighbours apart

// At each zoom the picture has 2^zoom x 2^zoom tiles; x counts to the right, y downwards. An
// aggregate of numbers, so it travels to the workers as it is.
struct Tile {
  int zoom = 0;
  long long x = 0;
  long long y = 0;
};

// A PNG file's bytes. Runs in the workers.
std::string render_tile(Tile tile);

}  // namespace job_service
