// What libFuzzer calls: its bytes are a program of a StreamReader, which must do as the model does.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "../support/stream_reader_program.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string wrong = plait::test::StreamReaderProgram({data, size}).run();
  if (wrong.empty()) return 0;
  std::fprintf(stderr, "StreamReader differs from its model. The steps:\n%s\n", wrong.c_str());
  std::abort();
}
