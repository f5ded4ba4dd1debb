// CPython's test_streams, as far as it is about readers that are fed by hand.
#include <doctest/doctest.h>

#include <exception>
#include <memory>
#include <plait/aio.hpp>
#include <plait/io/errors.hpp>
#include <plait/io/stream_reader.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "support/on_loop.hpp"

namespace plait::test {
namespace {

using aio::create_task;
using aio::StreamReader;
using aio::yield;
using Strings = std::vector<std::string>;

TEST_SUITE_BEGIN("conformance/test_streams");

const std::string data = "line1\nline2\nline3\n";

struct ValueError : std::runtime_error {
  ValueError() : std::runtime_error("value") {}
};

// A reader that has been given `text`, and that it ends there.
std::unique_ptr<StreamReader> ended_reader(std::string_view text) {
  auto reader = std::make_unique<StreamReader>();
  reader->feed_data(text);
  reader->feed_eof();
  return reader;
}

// ---------------------------------------------------------------- read

TEST_CASE("feed_data: adds to what can be read [cpython test_streams.test_feed_data]") {
  on_loop([]() -> Coroutine<> {
    StreamReader reader;
    const auto read = create_task(reader.read(1024));
    co_await yield();
    reader.feed_data("");
    co_await ticks(3);
    CHECK_FALSE(read.done());
    reader.feed_data("line1");
    reader.feed_data("\n");
    CHECK(co_await read == "line1\n");
  });
}

TEST_CASE("read: of 0 bytes takes nothing [cpython test_streams.test_read_zero]") {
  on_loop([]() -> Coroutine<> {
    StreamReader reader;
    CHECK(co_await reader.read(0) == "");
    reader.feed_data(data);
    CHECK(co_await reader.read(0) == "");
    CHECK(co_await reader.read(100) == data);
  });
}

TEST_CASE("read: waits for some bytes, not for all [cpython test_streams.test_read]") {
  on_loop([]() -> Coroutine<> {
    StreamReader reader;
    const auto read = create_task(reader.read(30));
    co_await ticks(2);
    CHECK_FALSE(read.done());
    reader.feed_data(data);
    CHECK(co_await read == data);
  });
}

TEST_CASE("read: leaves what is more [cpython test_streams.test_read_line_breaks]") {
  on_loop([]() -> Coroutine<> {
    StreamReader reader;
    reader.feed_data("line1");
    reader.feed_data("line2");
    CHECK(co_await reader.read(5) == "line1");
    CHECK(co_await reader.read(100) == "line2");
  });
}

TEST_CASE("read: is empty at the end [cpython test_streams.test_read_eof]") {
  on_loop([]() -> Coroutine<> {
    StreamReader reader;
    const auto read = create_task(reader.read(1024));
    co_await yield();
    reader.feed_eof();
    CHECK(co_await read == "");
    CHECK(co_await reader.read(1024) == "");
  });
}

TEST_CASE("read: of all collects up to the end [cpython test_streams.test_read_until_eof]") {
  on_loop([]() -> Coroutine<> {
    StreamReader reader;
    const auto read = create_task(reader.read(-1));
    for (const char* part : {"chunk1\n", "chunk2"}) {
      co_await yield();
      reader.feed_data(part);
    }
    co_await ticks(2);
    CHECK_FALSE(read.done());
    reader.feed_eof();
    CHECK(co_await read == "chunk1\nchunk2");
  });
}

TEST_CASE("read: throws a set exception first [cpython test_streams.test_read_exception]") {
  on_loop([]() -> Coroutine<> {
    StreamReader reader;
    reader.feed_data("line\n");
    CHECK(co_await reader.read(2) == "li");
    reader.set_exception(std::make_exception_ptr(ValueError()));
    CHECK(co_await throws<ValueError>(reader.read(2)));
  });
}

TEST_CASE("reader: refuses limits of 0 and less [cpython test_streams.test_invalid_limit]") {
  CHECK_THROWS_AS(StreamReader(0), std::invalid_argument);
  CHECK_THROWS_AS(StreamReader(static_cast<std::size_t>(-1)), std::invalid_argument);
}

TEST_CASE("read: knows no limit [cpython test_streams.test_read_limit]") {
  on_loop([]() -> Coroutine<> {
    StreamReader reader(3);
    reader.feed_data("chunk");
    CHECK(co_await reader.read(5) == "chunk");
    reader.feed_data("chunk");
    CHECK(co_await reader.readexactly(5) == "chunk");
  });
}

TEST_CASE("at_eof: is true once all was read [cpython test_streams.test_at_eof]") {
  on_loop([]() -> Coroutine<> {
    StreamReader reader;
    CHECK_FALSE(reader.at_eof());
    reader.feed_data("some data\n");
    CHECK_FALSE(reader.at_eof());
    CHECK(co_await reader.readline() == "some data\n");
    CHECK_FALSE(reader.at_eof());
    reader.feed_data("some data\n");
    reader.feed_eof();
    CHECK_FALSE(reader.at_eof());
    CHECK(co_await reader.readline() == "some data\n");
    CHECK(reader.at_eof());
  });
}

Coroutine<> fail_reader(StreamReader& reader) {
  reader.set_exception(std::make_exception_ptr(ValueError()));
  co_return;
}

TEST_CASE("set_exception: reaches who waits already [cpython test_streams.test_exception_waiter]") {
  on_loop([]() -> Coroutine<> {
    StreamReader reader;
    const auto read = create_task(reader.readline());
    const auto fail = create_task(fail_reader(reader));
    CHECK(co_await throws<ValueError>([](auto task) -> Coroutine<> { co_await task; }(read)));
    co_await fail;
  });
}

// ---------------------------------------------------------------- readline

TEST_CASE("readline: collects a line from its parts [cpython test_streams.test_readline]") {
  on_loop([]() -> Coroutine<> {
    StreamReader reader;
    reader.feed_data("chunk1 ");
    const auto line = create_task(reader.readline());
    for (const char* part : {"chunk2 ", "chunk3 ", "\n chunk4"}) {
      co_await yield();
      CHECK_FALSE(line.done());
      reader.feed_data(part);
    }
    CHECK(co_await line == "chunk1 chunk2 chunk3 \n");
    CHECK(co_await reader.read(100) == " chunk4");
  });
}

TEST_CASE("readline: gives what is there at the end [cpython test_streams.test_readline_eof]") {
  on_loop([]() -> Coroutine<> {
    const auto some = ended_reader("some data");
    CHECK(co_await some->readline() == "some data");
    CHECK(co_await some->readline() == "");
    CHECK(co_await ended_reader("")->readline() == "");
  });
}

TEST_CASE(
    "readline: leaves the rest to read() [cpython test_streams.test_readline_read_byte_count]") {
  on_loop([]() -> Coroutine<> {
    StreamReader reader;
    reader.feed_data(data);
    CHECK(co_await reader.readline() == "line1\n");
    CHECK(co_await reader.read(7) == "line2\nl");
    CHECK(co_await reader.read(100) == "ine3\n");
  });
}

TEST_CASE("readline: throws a set exception [cpython test_streams.test_readline_exception]") {
  on_loop([]() -> Coroutine<> {
    StreamReader reader;
    reader.feed_data("line\nrest\n");
    CHECK(co_await reader.readline() == "line\n");
    reader.set_exception(std::make_exception_ptr(ValueError()));
    CHECK(co_await throws<ValueError>(reader.readline()));
  });
}

// ---------------------------------------------------------------- readuntil

TEST_CASE("readuntil: refuses empty separators [cpython test_streams.test_readuntil_separator]") {
  on_loop([]() -> Coroutine<> {
    StreamReader reader;
    const Strings none, with_empty{"A", ""};
    CHECK(co_await throws<std::invalid_argument>(reader.readuntil(std::string())));
    CHECK(co_await throws<std::invalid_argument>(reader.readuntil(with_empty)));
    CHECK(co_await throws<std::invalid_argument>(reader.readuntil(none)));
  });
}

TEST_CASE("readuntil: an end before the separator [cpython test_streams.test_readuntil_eof]") {
  on_loop([]() -> Coroutine<> {
    const auto reader = ended_reader("some dataAA");
    std::string partial;
    try {
      co_await reader->readuntil("AAA");
    } catch (const aio::IncompleteReadError& error) {
      partial = error.partial();
      CHECK_FALSE(error.expected());
    }
    CHECK(partial == "some dataAA");
    CHECK(reader->at_eof());
  });
}

struct Overrun {
  std::string text;
  std::size_t consumed = 0;
};

// How a reader with a limit of 3 fails to find them; all stays in the reader.
Coroutine<Overrun> overrun(std::string text, Strings separators) {
  StreamReader reader(3);
  reader.feed_data(text);
  Overrun result;
  try {
    co_await reader.readuntil(std::move(separators));
  } catch (const aio::LimitOverrunError& error) {
    result.text = error.what();
    result.consumed = error.consumed();
  }
  CHECK(co_await reader.read(100) == text);
  co_return result;
}

TEST_CASE(
    "readuntil: a separator behind the limit "
    "[cpython test_streams.test_readuntil_multi_separator_limit]") {
  on_loop([]() -> Coroutine<> {
    const Strings separators{"A", "ome dataA"};
    const auto found = co_await overrun("some dataA", separators);
    CHECK(found.text == "Separator is found, but chunk is longer than limit");
    CHECK(found.consumed == 9);
  });
}

TEST_CASE(
    "readuntil: tells how many bytes belong to no separator "
    "[cpython derived.stream_limit_consumed]") {
  on_loop([]() -> Coroutine<> {
    const Strings separators{"AAA"};
    const auto not_found = co_await overrun("some dataAA", separators);
    CHECK(not_found.text == "Separator is not found, and chunk exceed the limit");
    CHECK(not_found.consumed == 9);
  });
}

// ---------------------------------------------------------------- readexactly

TEST_CASE("readexactly: waits for as many [cpython test_streams.test_readexactly]") {
  on_loop([]() -> Coroutine<> {
    StreamReader reader;
    const auto read = create_task(reader.readexactly(2 * data.size()));
    for (int i = 0; i < 3; ++i) {
      co_await ticks(2);
      CHECK(read.done() == (i == 2));
      reader.feed_data(data);
    }
    CHECK(co_await read == data + data);
    CHECK(co_await reader.readexactly(0) == "");
    CHECK(co_await throws<std::invalid_argument>(reader.readexactly(static_cast<std::size_t>(-1))));
    CHECK(co_await reader.readexactly(data.size()) == data);
  });
}

TEST_CASE("readexactly: an end before that [cpython test_streams.test_readexactly_eof]") {
  on_loop([]() -> Coroutine<> {
    const auto reader = ended_reader(data);
    std::string partial;
    try {
      co_await reader->readexactly(2 * data.size());
    } catch (const aio::IncompleteReadError& error) {
      partial = error.partial();
      CHECK(error.expected() == 2 * data.size());
    }
    CHECK(partial == data);
    CHECK(co_await reader->read() == "");
  });
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
