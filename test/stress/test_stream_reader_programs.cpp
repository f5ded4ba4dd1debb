// Random programs of a StreamReader, which feed, read in every way and cancel: it does what a plain
// model does. A fuzzer makes up better ones: see test/fuzz.
#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "../support/seeded.hpp"
#include "../support/stream_reader_program.hpp"

namespace plait::test {
namespace {

std::vector<std::uint8_t> random_program(Engine& engine) {
  std::vector<std::uint8_t> program(pick(engine, 400));
  for (std::uint8_t& byte : program) byte = static_cast<std::uint8_t>(pick(engine, 256));
  return program;
}

TEST_SUITE_BEGIN("stress/stream_reader_programs");

TEST_CASE("StreamReader: gives what it was fed, whatever is asked for") {
  Engine engine = seeded_engine("stream_reader_programs");
  for (int i = 0; i < 5000; ++i) {
    const std::vector<std::uint8_t> program = random_program(engine);
    REQUIRE_EQ(StreamReaderProgram(program).run(), "");
  }
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
