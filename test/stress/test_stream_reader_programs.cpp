// Random bytes, fed and read in random pieces, with reads that are cancelled: what comes out of a
// StreamReader is what went in, and each kind of read ends as the bytes say.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <plait/aio.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "../support/on_loop.hpp"
#include "../support/seeded.hpp"

namespace plait::test {
namespace {

// One program: what is fed in all, and how far it was read.
struct World {
  explicit World(std::uint64_t seed)
      : engine(seed), limit(1 + pick(24)), reader(limit), all(random_bytes()) {}

  std::size_t pick(std::size_t bound) { return test::pick(engine, bound); }
  std::string_view rest() const { return std::string_view(all).substr(done); }
  // `piece` was read next.
  void check_next(std::string_view piece) {
    CHECK(rest().substr(0, piece.size()) == piece);
    done += piece.size();
  }

  Engine engine;
  const std::size_t limit;
  aio::StreamReader reader;
  const std::string all;
  std::size_t done = 0;

 private:
  std::string random_bytes() {
    std::string bytes(pick(300), '\0');
    for (char& byte : bytes) byte = "aab\n"[pick(4)];
    return bytes;
  }
};

Coroutine<> feed(World& world) {
  for (std::size_t fed = 0; fed < world.all.size();) {
    const std::size_t piece = std::min(world.all.size() - fed, world.pick(40));
    world.reader.feed_data(std::string_view(world.all).substr(fed, piece));
    fed += piece;
    co_await ticks(static_cast<int>(world.pick(3)));
  }
  world.reader.feed_eof();
}

Coroutine<> read_some(World& world) {
  const std::size_t most = world.pick(30);
  const std::string piece = co_await world.reader.read(static_cast<std::ptrdiff_t>(most));
  CHECK(piece.size() <= most);
  if (piece.empty() && most > 0) CHECK(world.rest().empty());
  world.check_next(piece);
}

Coroutine<> read_exactly(World& world) {
  const std::size_t size = world.pick(60);
  try {
    const std::string piece = co_await world.reader.readexactly(size);
    CHECK(piece.size() == size);
    world.check_next(piece);
  } catch (const aio::IncompleteReadError& error) {
    CHECK(error.expected() == size);
    CHECK(world.rest().size() < size);
    CHECK(error.partial() == world.rest());
    world.check_next(error.partial());
  }
}

Coroutine<> read_until(World& world) {
  const std::string separator = std::string("\nab\n").substr(world.pick(2), 1 + world.pick(3));
  const std::size_t place = world.rest().find(separator);
  const bool comes = place != std::string_view::npos;
  std::size_t passed = 0;
  try {
    const std::string piece = co_await world.reader.readuntil(separator);
    REQUIRE(comes);
    CHECK(place <= world.limit);
    CHECK(piece.size() == place + separator.size());
    world.check_next(piece);
  } catch (const aio::IncompleteReadError& error) {
    CHECK_FALSE(comes);
    CHECK(error.partial() == world.rest());
    world.check_next(error.partial());
  } catch (const aio::LimitOverrunError& error) {
    const bool far = comes ? place > world.limit : world.rest().size() > world.limit;
    CHECK(far);
    passed = error.consumed();
  }
  const std::string no_separator = co_await world.reader.readexactly(passed);
  CHECK(no_separator.find(separator) == std::string::npos);
  world.check_next(no_separator);
}

// A line that is too long is dropped as far as it has come, which shows by what comes after it.
Coroutine<> read_line(World& world) {
  const std::size_t place = world.rest().find('\n');
  const std::size_t length = place == std::string_view::npos ? world.rest().size() : place;
  if (length > world.limit) co_return co_await read_some(world);
  const std::string line = co_await world.reader.readline();
  CHECK(line == world.rest().substr(0, line.size()));
  CHECK(line.size() == std::min(length + 1, world.rest().size()));
  world.check_next(line);
}

Coroutine<> read_something(World& world) {
  switch (world.pick(4)) {
    case 0:
      return read_some(world);
    case 1:
      return read_exactly(world);
    case 2:
      return read_until(world);
    default:
      return read_line(world);
  }
}

Coroutine<> run_program(World& world) {
  const auto feeding = aio::create_task(feed(world));
  while (!world.reader.at_eof()) {
    const auto reading = aio::create_task(read_something(world));
    if (world.pick(3) == 0) {
      co_await ticks(static_cast<int>(world.pick(3)));
      reading.cancel();
    }
    try {
      co_await reading;
    } catch (const CancelledError&) {
      // What it would have read stays there.
    }
  }
  CHECK(world.done == world.all.size());
  co_await feeding;
}

TEST_SUITE_BEGIN("stress/stream_reader_programs");

TEST_CASE("StreamReader: gives what it was fed, whatever is asked for") {
  Engine engine = seeded_engine("stream_reader_programs");
  for (int i = 0; i < 5000; ++i) {
    const std::uint64_t seed = engine();
    CAPTURE(seed);
    World world(seed);
    on_loop([&world] { return run_program(world); });
  }
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
