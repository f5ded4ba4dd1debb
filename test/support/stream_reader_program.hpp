// Programs for a StreamReader that stand in bytes, which may be random or a fuzzer's: whatever they
// feed, ask for and cancel, it must do as StreamModel does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <plait/aio.hpp>
#include <plait/testing/virtual_clock.hpp>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "stream_model.hpp"

namespace plait::test {

// Reads, and tells how it ended.
inline Coroutine<StreamOutcome> perform(aio::StreamReader& reader, StreamRead read) {
  using Kind = StreamOutcome::Kind;
  StreamOutcome outcome{Kind::value};
  try {
    if (read.kind == StreamRead::Kind::some) {
      outcome.bytes = co_await reader.read(read.size);
    } else if (read.kind == StreamRead::Kind::exactly) {
      outcome.bytes = co_await reader.readexactly(static_cast<std::size_t>(read.size));
    } else if (read.kind == StreamRead::Kind::line) {
      outcome.bytes = co_await reader.readline();
    } else if (read.separators.size() == 1) {
      outcome.bytes = co_await reader.readuntil(read.separators[0]);
    } else {
      outcome.bytes = co_await reader.readuntil(std::move(read.separators));
    }
  } catch (const aio::IncompleteReadError& error) {
    outcome = {Kind::incomplete, error.partial(),
               error.expected().value_or(StreamModel::no_number)};
  } catch (const aio::LimitOverrunError& error) {
    outcome = {Kind::overrun, {}, error.consumed()};
  } catch (const std::invalid_argument&) {
    outcome = {Kind::invalid};
  } catch (const std::out_of_range&) {
    outcome = {Kind::failed};  // only set_exception() brings it in here
  } catch (const RuntimeError&) {
    outcome = {Kind::runtime_error};
  } catch (const CancelledError&) {
    outcome = {Kind::cancelled};
  } catch (const std::exception& error) {
    outcome = {Kind::other, error.what()};
  }
  co_return outcome;
}

class StreamReaderProgram {
 public:
  explicit StreamReaderProgram(std::span<const std::uint8_t> bytes)
      : bytes_(bytes), limit_(pick_limit()), model_(limit_), reader_(limit_) {}

  // What went wrong, and the steps that led there; empty: nothing did.
  std::string run() {
    steps_ = "StreamReader(" + std::to_string(limit_) + ")\n";
    try {
      while (!bytes_.empty()) step();
      settle();
      if (!model_.eof()) feed_eof();
      start({StreamRead::Kind::some, -1}, false);
      return "";
    } catch (const Wrong& wrong) {
      return steps_ + wrong.what;
    }
  }

 private:
  struct Wrong {
    std::string what;
  };
  struct Waiting {
    StreamRead read;
    aio::Task<StreamOutcome> task;
    bool cancelled = false;
  };

  // ---------------------------------------------------------------- what the bytes say

  std::size_t pick(std::size_t bound) {
    if (bytes_.empty()) return 0;
    const std::size_t byte = bytes_.front();
    bytes_ = bytes_.subspan(1);
    return byte % bound;
  }
  std::size_t pick_limit() {
    const std::size_t chosen = 1 + pick(48);
    return chosen <= 40 ? chosen : chosen * 64;
  }
  // Most are small; some are more than the reader has room for at first.
  std::ptrdiff_t pick_size() {
    const auto chosen = static_cast<std::ptrdiff_t>(pick(256));
    if (chosen == 255) return -1;
    return chosen < 128 ? chosen % 32 : 16 * chosen;
  }
  std::vector<std::string> pick_separators() {
    static constexpr const char* all[] = {"\n",  "a",   "ab",      "b\n", "\n\n",
                                          "aab", "aba", "abababa", ""};
    std::vector<std::string> separators(pick(8) == 0 ? pick(4) : 1 + pick(3));
    for (std::string& separator : separators) {
      const std::size_t chosen = pick(64);  // the empty one is rare, as it is refused
      separator = all[chosen == 63 ? 8 : chosen % 8];
    }
    return separators;
  }
  std::string pick_bytes() {
    std::string bytes(1 + pick(8), '\0');
    for (char& byte : bytes) byte = "aab\n"[pick(4)];
    return bytes;
  }
  // Without separators, and so that no piece looks like the next one.
  std::string pick_many_bytes() {
    std::string bytes(16 * pick(256), '\0');
    for (char& byte : bytes) byte = static_cast<char>('c' + serial_++ % 23);
    return bytes;
  }

  void step() {
    switch (pick(16)) {
      case 5:
        return feed(pick_many_bytes());
      case 6:
        return settle();
      case 7:
        return cancel();
      case 8:
      case 9:
        return start({StreamRead::Kind::some, pick_size()}, false);
      case 10:
        return start({StreamRead::Kind::exactly, pick_size()}, false);
      case 11:
        return start({StreamRead::Kind::line}, false);
      case 12:
      case 13:
      case 14:
        return start({StreamRead::Kind::until, 0, pick_separators()}, false);
      case 15:
        return step_rarely();
      default:
        return feed(pick_bytes());
    }
  }
  void step_rarely() {
    switch (pick(16)) {
      case 0:
      case 1:
      case 2:
        return feed_eof();
      case 3:
        return set_exception();
      default:
        return start({StreamRead::Kind::some, pick_size()}, true);
    }
  }

  // ---------------------------------------------------------------- the steps

  void feed(const std::string& bytes) {
    if (model_.size() > 16UL * 1024) return;  // enough for what it does with many
    steps_ += "feed_data(" + in_quotes(bytes) + ")\n";
    bool refused = false;
    try {
      reader_.feed_data(bytes);
    } catch (const RuntimeError&) {
      refused = true;
    }
    expect(refused == model_.eof(), "is refused after feed_eof(), and only then");
    if (!refused) model_.feed(bytes);
  }

  void feed_eof() {
    steps_ += "feed_eof()\n";
    reader_.feed_eof();
    model_.feed_eof();
  }

  void set_exception() {
    steps_ += "set_exception()\n";
    reader_.set_exception(std::make_exception_ptr(std::out_of_range("was set")));
    model_.fail();
  }

  void cancel() {
    if (!waiting_) return;
    steps_ += "cancel()\n";
    waiting_->task.cancel();
    waiting_->cancelled = true;
  }

  void start(StreamRead read, bool cancel_at_once) {
    settle();
    steps_ += read.text() + (cancel_at_once ? ", cancelled at once\n" : "\n");
    auto task = loop_.loop().create_task(perform(reader_, read));
    if (cancel_at_once) task.cancel();
    loop_.settle();
    auto expected =
        cancel_at_once ? StreamOutcome{StreamOutcome::Kind::cancelled} : model_.finish(read);
    if (!expected && waiting_) expected = StreamOutcome{StreamOutcome::Kind::runtime_error};
    compare(outcome_of(task), expected);
    if (!expected) waiting_ = Waiting{std::move(read), std::move(task)};
    check_ends();
  }

  // Lets a waiting read see what came, in one go.
  void settle() {
    loop_.settle();
    if (waiting_) {
      const auto outcome = outcome_of(waiting_->task);
      // Its cancellation and its bytes may both have come; a read that is cancelled takes none.
      const StreamOutcome cancellation{StreamOutcome::Kind::cancelled};
      const bool was_cancelled = waiting_->cancelled && outcome == cancellation;
      if (!was_cancelled) compare(outcome, model_.finish(waiting_->read));
      expect(outcome || !waiting_->cancelled, "a cancelled read waits on");
      if (outcome) waiting_.reset();
    }
    check_ends();
  }

  // ---------------------------------------------------------------- what has to be true

  static std::optional<StreamOutcome> outcome_of(const aio::Task<StreamOutcome>& task) {
    if (!task.done()) return std::nullopt;
    if (task.cancelled()) return StreamOutcome{StreamOutcome::Kind::cancelled};
    return task.result();
  }
  static void compare(const std::optional<StreamOutcome>& got,
                      const std::optional<StreamOutcome>& expected) {
    if (got == expected) return;
    throw Wrong{"expected: " + (expected ? expected->text() : "it waits") +
                "\n     got: " + (got ? got->text() : "it waits")};
  }
  static void expect(bool holds, const char* what) {
    if (!holds) throw Wrong{std::string("wrong: ") + what};
  }
  void check_ends() const {
    expect(reader_.at_eof() == model_.at_eof(), "at_eof()");
    expect((reader_.exception() != nullptr) == model_.failed(), "exception()");
  }

  std::span<const std::uint8_t> bytes_;  // those that are left
  const std::size_t limit_;
  StreamModel model_;
  aio::StreamReader reader_;
  testing::VirtualLoop loop_;       // goes before the reader, which its tasks use
  std::optional<Waiting> waiting_;  // the one read that may wait
  std::size_t serial_ = 0;
  std::string steps_;
};

}  // namespace plait::test
