// Files: modes, reading and writing, the order of operations, cancelling them, fifos.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <plait/aio.hpp>
#include <plait/io/file.hpp>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "support/log_capture.hpp"
#include "support/nothing_left.hpp"
#include "support/on_loop.hpp"
#include "support/stream_work.hpp"

namespace plait::test {
namespace {

using aio::create_task;
using FilePtr = std::shared_ptr<aio::File>;
using std::errc;
using Path = std::filesystem::path;

TEST_SUITE_BEGIN("io/file");

// A folder for each case.
class InFolder : public NothingLeft {
 protected:
  Path path(const char* name = "file") const { return folder_.path(name); }
  Path holding(const std::string& text) const {
    std::ofstream(path()) << text;
    return path();
  }
  Path fifo() const {
    ::mkfifo(path("fifo").c_str(), 0600);
    return path("fifo");
  }

 private:
  const SocketFolder folder_;
};

std::string content_of(const Path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

Coroutine<std::error_code> error_of_opening(Path path, std::string mode) {
  auto opening = aio::open(std::move(path), std::move(mode));
  co_return co_await error_of(std::move(opening));
}

// ---------------------------------------------------------------- reading and writing

TEST_CASE_FIXTURE(InFolder, "read: gives up to n bytes, or all that are left") {
  on_loop([this]() -> Coroutine<> {
    const auto file = co_await aio::open(holding("0123456789"));
    CHECK(co_await file->read(0) == "");
    CHECK(co_await file->read(3) == "012");
    CHECK(co_await file->read(-1) == "3456789");
    CHECK(co_await file->read(3) == "");
    CHECK(co_await file->read() == "");
  });
}

TEST_CASE_FIXTURE(InFolder, "read: gives back all of a megabyte that was written") {
  on_loop([this]() -> Coroutine<> {
    std::string text(1'000'003, 'x');
    for (std::size_t i = 0; i < text.size(); i += 991) text[i] = static_cast<char>(i);
    const auto file = co_await aio::open(path(), "w+");
    CHECK(co_await file->write(text) == text.size());
    CHECK(co_await file->seek(0) == 0);
    CHECK((co_await file->read() == text));
    CHECK(co_await file->seek(500'000) == 500'000);
    CHECK((co_await file->read(400'000) == text.substr(500'000, 400'000)));
  });
}

TEST_CASE_FIXTURE(InFolder, "seek: counts from the beginning, from here, or from the end") {
  on_loop([this]() -> Coroutine<> {
    const auto file = co_await aio::open(holding("0123456789"));
    CHECK(co_await file->seek(4) == 4);
    CHECK(co_await file->seek(2, SEEK_CUR) == 6);
    CHECK(co_await file->read(1) == "6");
    CHECK(co_await file->seek(-1, SEEK_END) == 9);
    CHECK(co_await file->read() == "9");
  });
}

TEST_CASE_FIXTURE(InFolder, "close: a dropped file is closed at once, whatever came last") {
  on_loop([this]() -> Coroutine<> {
    co_await aio::open(path(), "w");  // what the loop opens for itself is open then
    const auto before = descriptor_count();
    for (int i = 0; i < 300; ++i) {
      auto file = co_await aio::open(path(), "w");
      if (i % 3 > 0) co_await file->write("x");
      if (i % 3 > 1) co_await file->seek(0);
      file.reset();
      REQUIRE(descriptor_count() == before);
    }
  });
}

TEST_CASE_FIXTURE(InFolder, "open: the file may outlive the loop") {
  aio::EventLoop loop({.virtual_time = true});
  const FilePtr file = loop.run_until_complete(aio::open(path(), "w+"));
  loop.close();
}

// ---------------------------------------------------------------- modes

struct ModeCase {
  const char* mode;
  bool reads, writes;
  const char* result;  // of writing "XY" into "0123"
};
constexpr ModeCase mode_cases[] = {
    {"r", true, false, "0123"},   {"rb", true, false, "0123"},  {"rt", true, false, "0123"},
    {"r+", true, true, "XY23"},   {"r+b", true, true, "XY23"},  {"rb+", true, true, "XY23"},
    {"w", false, true, "XY"},     {"w+", true, true, "XY"},     {"bw", false, true, "XY"},
    {"a", false, true, "0123XY"}, {"a+", true, true, "0123XY"}, {"ab", false, true, "0123XY"},
};

Coroutine<> try_mode(Path path, ModeCase mode) {
  CAPTURE(mode.mode);
  const auto file = co_await aio::open(path, mode.mode);
  auto writing = file->write("XY");
  CHECK((co_await error_of(std::move(writing)) == errc()) == mode.writes);
  auto reading = file->read(1);
  CHECK((co_await error_of(std::move(reading)) == errc()) == mode.reads);
  co_await file->close();
  CHECK(content_of(path) == mode.result);
}

TEST_CASE_FIXTURE(InFolder, "open: each mode reads, writes, empties and appends as it says") {
  on_loop([this]() -> Coroutine<> {
    for (std::size_t i = 0; i < std::size(mode_cases); ++i) {
      co_await try_mode(holding("0123"), mode_cases[i]);
    }
  });
}

TEST_CASE_FIXTURE(InFolder, "open: makes files for w, a and x, and x refuses one that exists") {
  on_loop([this]() -> Coroutine<> {
    for (const char* const mode : {"w", "a", "x", "x+"}) {
      const auto file = co_await aio::open(path(mode), mode);
      co_await file->write("new");
      CHECK(content_of(path(mode)) == "new");
    }
    CHECK(co_await error_of_opening(path("x"), "x") == errc::file_exists);
    CHECK(co_await error_of_opening(path("none"), "r") == errc::no_such_file_or_directory);
    CHECK(co_await error_of_opening(path("none"), "r+") == errc::no_such_file_or_directory);
    CHECK(co_await error_of_opening(path("none") / "file", "w") == errc::no_such_file_or_directory);
    CHECK(co_await error_of_opening(path(""), "w") == errc::is_a_directory);
  });
}

TEST_CASE_FIXTURE(InFolder, "open: refuses a folder for reading, too") {
  on_loop([this]() -> Coroutine<> {
    CHECK(co_await error_of_opening(path(""), "r") == errc::is_a_directory);
  });
}

TEST_CASE_FIXTURE(InFolder, "open: refuses modes that Python does not know, and makes no file") {
  on_loop([this]() -> Coroutine<> {
    for (const char* const mode : {"", "b", "+", "rw", "wa", "r++", "U", "R", "w ", "xx"}) {
      CAPTURE(mode);
      auto opening = aio::open(path(), mode);
      CHECK(co_await throws<std::invalid_argument>(std::move(opening)));
    }
    CHECK_FALSE(std::filesystem::exists(path()));
  });
}

TEST_CASE_FIXTURE(InFolder, "open: begins at the end where the mode is to append") {
  on_loop([this]() -> Coroutine<> {
    const auto file = co_await aio::open(holding("0123"), "a+");
    CHECK(co_await file->seek(0, SEEK_CUR) == 4);
    CHECK(co_await file->read() == "");
    CHECK(co_await file->seek(0) == 0);
    co_await file->write("45");
    CHECK(content_of(path()) == "012345");
  });
}

// ---------------------------------------------------------------- errors

TEST_CASE_FIXTURE(InFolder, "seek: refuses an odd whence, and a place before the beginning") {
  on_loop([this]() -> Coroutine<> {
    const auto file = co_await aio::open(holding("0123"));
    CHECK_THROWS_AS(static_cast<void>(file->seek(0, 3)), std::invalid_argument);
    CHECK_THROWS_AS(static_cast<void>(file->seek(0, -1)), std::invalid_argument);
    auto seeking = file->seek(-1);
    CHECK(co_await error_of(std::move(seeking)) == errc::invalid_argument);
    CHECK(co_await file->read() == "0123");
  });
}

TEST_CASE_FIXTURE(NothingLeft, "write: tells that the disk is full, and names the file") {
  on_loop([]() -> Coroutine<> {
    const auto file = co_await aio::open("/dev/full", "w");
    std::string text;
    try {
      co_await file->write("text");
    } catch (const std::system_error& error) {
      CHECK(error.code() == errc::no_space_on_device);
      text = error.what();
    }
    CHECK(holds(text, "/dev/full"));
  });
}

Coroutine<> check_closed(FilePtr file) {
  std::vector<Coroutine<std::error_code>> all;
  all.push_back(error_of(file->read()));
  all.push_back(error_of(file->read(0)));
  all.push_back(error_of(file->write("text")));
  all.push_back(error_of(file->write("")));
  all.push_back(error_of(file->seek(0)));
  for (std::size_t i = 0; i < all.size(); ++i) {
    CAPTURE(i);
    CHECK(co_await std::move(all[i]) == errc::bad_file_descriptor);
  }
}

TEST_CASE_FIXTURE(InFolder, "close: closes once, and what comes after it throws EBADF") {
  on_loop([this]() -> Coroutine<> {
    const auto file = co_await aio::open(holding("0123"), "r+");
    const std::size_t open_files = descriptor_count();
    co_await file->close();
    CHECK(descriptor_count() == open_files - 1);
    co_await file->close();
    co_await check_closed(file);
    CHECK(content_of(path()) == "0123");
  });
}

TEST_CASE_FIXTURE(InFolder, "File: closes when it is dropped") {
  on_loop([this]() -> Coroutine<> {
    auto file = co_await aio::open(holding("0123"));
    const std::size_t open_files = descriptor_count();
    co_await file->read();
    file.reset();
    CHECK(co_await comes_true([=] { return descriptor_count() == open_files - 1; }));
  });
}

// ---------------------------------------------------------------- order and cancelling

TEST_CASE_FIXTURE(InFolder, "write: operations at the same time keep the order of their awaits") {
  on_loop([this]() -> Coroutine<> {
    const auto file = co_await aio::open(path(), "w+");
    std::vector<aio::Task<std::size_t>> writes;
    std::string expected;
    for (int i = 0; i < 50; ++i) {
      const std::string text = std::to_string(i) + (i % 2 ? std::string(20'000, '.') : " ");
      expected += text;
      writes.push_back(create_task(file->write(text)));
    }
    const auto rewinding = create_task(file->seek(0));
    const auto reading = create_task(file->read());
    CHECK((co_await reading == expected));
    CHECK(co_await rewinding == 0);
    for (const auto& task : writes) CHECK(task.done());
  });
}

TEST_CASE_FIXTURE(InFolder, "read: of a fifo waits for who writes, and others run meanwhile") {
  on_loop([this]() -> Coroutine<> {
    const auto opening = create_task(aio::open(fifo(), "r"));
    const auto writer = co_await aio::open(fifo(), "w");
    const auto reader = co_await opening;
    const auto reading = create_task(reader->read());
    co_await ticks(10);
    CHECK_FALSE(reading.done());
    co_await writer->write("text");
    co_await writer->close();
    CHECK(co_await reading == "text");
    auto seeking = reader->seek(0);
    CHECK(co_await error_of(std::move(seeking)) == errc::invalid_seek);
  });
}

// A fifo: what was in it was read.
bool is_empty(int fifo) {
  int left = 0;
  return ::ioctl(fifo, FIONREAD, &left) == 0 && left == 0;
}

TEST_CASE_FIXTURE(InFolder, "read: when cancelled goes on alone, and the file stays usable") {
  const LogCapture log;
  on_loop([this]() -> Coroutine<> {
    const auto file = co_await aio::open(fifo(), "r+");
    const int writer = ::open(path("fifo").c_str(), O_RDWR | O_CLOEXEC);
    CHECK(::write(writer, "a", 1) == 1);
    const auto begun = create_task(file->read(2));
    const auto waiting = create_task(file->read(2));
    const auto last = create_task(file->read(2));
    CHECK(co_await comes_true([writer] { return is_empty(writer); }));
    begun.cancel();
    waiting.cancel();
    co_await settle(begun, waiting);
    CHECK((begun.cancelled() && waiting.cancelled()));
    CHECK_FALSE(last.done());
    CHECK(::write(writer, "bcd", 3) == 3);  // "b" is for the read that had begun
    CHECK(co_await last == "cd");
    ::close(writer);
    co_await file->close();
  });
  CHECK(log.size() == 0);
}

// What run() does with all tasks that are left, while one of them holds a file.
Coroutine<> cancel_the_others() {
  const auto me = aio::current_task();
  for (const auto& task : aio::all_tasks()) {
    if (!me || task != *me) task.cancel();
  }
  co_return;
}

TEST_CASE_FIXTURE(InFolder, "File: is usable after all tasks were cancelled") {
  for (int early = 0; early < 6; ++early) {
    CAPTURE(early);
    on_loop([this, early]() -> Coroutine<> {
      const auto file = co_await aio::open(holding("0123"), "r+");
      const auto reading = create_task(file->read());
      co_await ticks(early);
      co_await cancel_the_others();
      co_await settle(reading);
      const auto closing = create_task(file->close());
      CHECK(co_await comes_true([&] { return closing.done(); }));
    });
  }
}

TEST_CASE_FIXTURE(InFolder, "close: waits for a read that goes on after all tasks were cancelled") {
  on_loop([this]() -> Coroutine<> {
    const auto file = co_await aio::open(fifo(), "r+");
    const int writer = ::open(path("fifo").c_str(), O_RDWR | O_CLOEXEC);
    CHECK(::write(writer, "a", 1) == 1);
    const auto reading = create_task(file->read(2));
    CHECK(co_await comes_true([writer] { return is_empty(writer); }));
    co_await cancel_the_others();
    co_await settle(reading);
    const auto closing = create_task(file->close());
    for (int i = 0; i < 20; ++i) {
      co_await aio::get_running_loop().run_in_executor(nullptr, [] {});
    }
    CHECK_FALSE(closing.done());
    CHECK(::write(writer, "b", 1) == 1);
    co_await closing;
    ::close(writer);
  });
}

// ---------------------------------------------------------------- SIGPIPE

std::atomic<int> broken_pipes{0};

TEST_CASE_FIXTURE(InFolder,
                  "write: to a fifo that nobody reads gives EPIPE and raises no SIGPIPE") {
  struct sigaction counting{};
  struct sigaction before{};
  counting.sa_handler = [](int) { ++broken_pipes; };
  ::sigaction(SIGPIPE, &counting, &before);
  on_loop([this]() -> Coroutine<> {
    const auto opening = create_task(aio::open(fifo(), "r"));
    const auto writer = co_await aio::open(fifo(), "w");
    const auto reader = co_await opening;
    co_await reader->close();
    auto writing = writer->write("text");
    CHECK(co_await error_of(std::move(writing)) == errc::broken_pipe);
  });
  ::sigaction(SIGPIPE, &before, nullptr);
  CHECK(broken_pipes == 0);
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
