// The Mandelbrot set, its rows computed in processes, as a PNG file.
// Usage: render_mandelbrot [FILE [WIDTH [PROCESSES]]]
#include <png.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <plait/futures.hpp>
#include <ranges>
#include <stdexcept>
#include <string>
#include <vector>

using Colour = std::uint8_t;     // a place in the palette
constexpr Colour inside = 0;     // for what never escapes
constexpr double colours = 255;  // for what does
constexpr int most_iterations = 2000;

// How soon the point escapes: points outside of the set get colours, which repeat.
Colour colour_at(std::complex<double> c) {
  std::complex<double> z = 0;
  for (int i = 0; i < most_iterations; ++i) {
    z = z * z + c;
    if (std::norm(z) < 1e6) continue;
    const double escape = i + 1 - std::log2(std::log2(std::abs(z)));  // no steps between colours
    return static_cast<Colour>(1 + std::fmod(30 * std::sqrt(escape), colours));
  }
  return inside;
}

//! [row]
// Computes a row of the picture. An aggregate of numbers, so it travels to the workers as it is.
struct RowRenderer {
  double left, top, pixel;  // in the complex plane
  int width;

  std::vector<Colour> operator()(int row) const {
    std::vector<Colour> colours;
    for (int column = 0; column < width; ++column) {
      colours.push_back(colour_at({left + pixel * column, top - pixel * row}));
    }
    return colours;
  }
};
//! [row]

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

void write_png(const std::string& file, const std::vector<Colour>& pixels, int width, int height) {
  const auto colours_used = palette();
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.format = PNG_FORMAT_RGB_COLORMAP;
  image.width = static_cast<png_uint_32>(width);
  image.height = static_cast<png_uint_32>(height);
  image.colormap_entries = static_cast<png_uint_32>(colours_used.size());
  if (!png_image_write_to_file(&image, file.c_str(), 0, pixels.data(), 0, colours_used.data())) {
    throw std::runtime_error(file + ": " + image.message);
  }
}

// On a terminal only.
void show_progress(int done, int all) {
  static const bool is_terminal = ::isatty(STDERR_FILENO) == 1;
  constexpr int width = 50;
  if (!is_terminal) return;
  const auto filled = static_cast<std::size_t>(width * done / all);
  std::cerr << "\r[" << std::string(filled, '#') << std::string(width - filled, '.') << "] "
            << 100 * done / all << " %" << (done == all ? "\n" : "") << std::flush;
}

//! [render]
std::vector<Colour> render(const RowRenderer& renderer, int height, std::size_t processes) {
  plait::ProcessPoolExecutor pool(processes);
  std::vector<Colour> pixels;
  int done = 0;
  for (const auto& row : pool.map({.chunksize = 4}, renderer, std::views::iota(0, height))) {
    pixels.insert(pixels.end(), row.begin(), row.end());
    show_progress(++done, height);
  }
  return pixels;
}
//! [render]

int main(int argc, char** argv) {
  const std::string file = argc > 1 ? argv[1] : "mandelbrot.png";
  const int width = argc > 2 ? std::clamp(std::atoi(argv[2]), 16, 16'000) : 600;
  const int height = width * 2 / 3;
  const int processes = argc > 3 ? std::clamp(std::atoi(argv[3]), 1, 1'024) : 0;
  const double pixel = 3.6 / width;
  const RowRenderer row{.left = -2.5, .top = pixel * height / 2, .pixel = pixel, .width = width};

  const auto start = std::chrono::steady_clock::now();
  const auto pixels = render(row, height, static_cast<std::size_t>(processes));
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  write_png(file, pixels, width, height);

  std::cerr << "rendered in " << time.count() << " s\n";
  const auto area = static_cast<double>(std::ranges::count(pixels, inside)) * pixel * pixel;
  std::cout << file << ": " << width << " x " << height << ", the area of the set is "
            << std::round(area * 10) / 10 << '\n';
}
