// Computes a tile and writes it with libpng.
#include "tiles.hpp"

#include <png.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <cstddef>
#include <stdexcept>
#include <vector>

namespace job_service {
namespace {

constexpr int width = 256;     // of a tile, in pixels
constexpr double picture = 4;  // width of the whole picture in the complex plane
constexpr double left = -2.5;
constexpr double top = 2;
constexpr int most_iterations = 400;
constexpr int inside = 0;        // the place in the palette for what never escapes
constexpr double colours = 255;  // and the number of those for what does

png_byte colour_at(std::complex<double> c) {
  std::complex<double> z = 0;
  for (int i = 0; i < most_iterations; ++i) {
    z = z * z + c;
    if (std::norm(z) < 1e6) continue;
    const double escape = i + 1 - std::log2(std::log2(std::abs(z)));  // no steps between colours
    return static_cast<png_byte>(1 + std::fmod(30 * std::sqrt(escape), colours));
  }
  return inside;
}

std::vector<png_byte> compute(const Tile& tile) {
  const double size = std::ldexp(picture, -tile.zoom);
  const double pixel = size / width;
  const double tile_left = left + size * static_cast<double>(tile.x);
  const double tile_top = top - size * static_cast<double>(tile.y);
  std::vector<png_byte> pixels;
  pixels.reserve(std::size_t{width} * width);
  for (int row = 0; row < width; ++row) {
    for (int column = 0; column < width; ++column) {
      pixels.push_back(colour_at({tile_left + pixel * column, tile_top - pixel * row}));
    }
  }
  return pixels;
}

// From dark blue over white and orange to black, and black for the set itself.
std::array<std::array<png_byte, 3>, 256> palette() {
  std::array<std::array<png_byte, 3>, 256> all{};
  for (std::size_t i = 1; i < all.size(); ++i) {
    const double angle = 2 * M_PI * static_cast<double>(i) / colours;
    std::ranges::transform(std::array{0.0, 0.3, 0.9}, all[i].begin(), [angle](double ahead) {
      return static_cast<png_byte>(127.5 - 127.5 * std::cos(angle + ahead));
    });
  }
  return all;
}

}  // namespace

std::string render_tile(Tile tile) {
  const auto pixels = compute(tile);
  const auto used = palette();
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.format = PNG_FORMAT_RGB_COLORMAP;
  image.colormap_entries = used.size();
  image.width = image.height = width;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
  std::string png(size, '\0');
  if (!png_image_write_to_memory(&image, png.data(), &size, 0, pixels.data(), 0, used.data())) {
    throw std::runtime_error(image.message);
  }
  png.resize(size);
  return png;
}

}  // namespace job_service
