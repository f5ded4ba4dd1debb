// How bytes that came in are kept and found.
#include <plait/io/stream_reader.hpp>

#include <algorithm>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <utility>

#include <plait/core/errors.hpp>
#include <plait/io/errors.hpp>
#include <plait/io/transport.hpp>

namespace plait::aio {
namespace {

// A connection that is used little keeps little memory, one that carries much needs few calls.
constexpr std::size_t least_room = 1024;
constexpr std::size_t largest_room = 256UL * 1024;

std::size_t checked(std::size_t limit) {
  if (limit > 0 && limit <= std::numeric_limits<std::ptrdiff_t>::max()) return limit;
  throw std::invalid_argument("StreamReader: limit has to be positive");
}

std::vector<std::string> checked(std::vector<std::string> separators) {
  const bool bad = separators.empty() || std::ranges::any_of(separators, &std::string::empty);
  if (!bad) return separators;
  throw std::invalid_argument("readuntil(): a separator has to be at least one byte long");
}

struct Match {
  std::size_t begin = std::string_view::npos;
  std::size_t end = std::string_view::npos;
};

// The one that ends first.
Match find_first(std::string_view data, const std::vector<std::string>& separators,
                 std::size_t from) {
  Match first;
  for (const std::string& separator : separators) {
    const std::size_t begin = data.find(separator, from);
    if (begin == std::string_view::npos || begin + separator.size() >= first.end) continue;
    first = {begin, begin + separator.size()};
  }
  return first;
}

}  // namespace

IncompleteReadError::IncompleteReadError(std::string partial, std::optional<std::size_t> expected)
    : Error("the stream ended after " + std::to_string(partial.size()) + " of " +
            (expected ? std::to_string(*expected) : std::string("an unknown number of")) +
            " expected bytes"),
      partial_(std::move(partial)),
      expected_(expected) {}

StreamReader::StreamReader(std::size_t limit) : limit_(checked(limit)), room_(least_room) {}

StreamReader::~StreamReader() {
  if (!transport_) return;
  if (!transport_->can_write()) {
    transport_->close();
  } else if (paused_) {
    transport_->resume_reading();  // what comes from now on is dropped
  }
}

// ---------------------------------------------------------------- what comes in

void StreamReader::set_transport(std::shared_ptr<Transport> transport) {
  transport_ = std::move(transport);
}

void StreamReader::feed_data(std::string_view data) {
  if (eof_) throw RuntimeError("feed_data() after feed_eof()");
  if (data.empty()) return;
  while (room().size() < data.size()) room_ = data.size();
  std::memcpy(buffer_.data() + end_, data.data(), data.size());
  end_ += data.size();
  room_ = std::clamp(room_, least_room, largest_room);
  more_.wake_all();
  pause_if_full();
}

void StreamReader::feed_eof() {
  eof_ = true;
  more_.wake_all();
}

void StreamReader::set_exception(std::exception_ptr error) {
  error_ = std::move(error);
  more_.wake_all();
}

// Room behind what lies here, which moves to the front if that is enough.
std::span<char> StreamReader::room() {
  if (end_ + room_ > buffer_.size()) {
    if (begin_ > 0) {
      std::memmove(buffer_.data(), buffer_.data() + begin_, size());
      end_ -= std::exchange(begin_, 0);
    }
    if (end_ + room_ > buffer_.size()) buffer_.resize(end_ + room_);
  }
  return {buffer_.data() + end_, buffer_.size() - end_};
}

void StreamReader::received(std::size_t count) {
  if (count >= room_) {
    room_ = std::min(room_ * 2, largest_room);
  } else if (count < room_ / 8) {
    room_ = std::max(room_ / 2, least_room);
  }
  end_ += count;
  more_.wake_all();
  pause_if_full();
}

void StreamReader::pause_if_full() {
  if (paused_ || !transport_ || size() <= 2 * limit_) return;
  transport_->pause_reading();
  paused_ = true;
}

// ---------------------------------------------------------------- what goes out

// Most of what lies here is given away as it is, instead of being copied.
std::string StreamReader::take(std::size_t count) {
  if (begin_ > 0 || count < end_ || count < buffer_.size() / 2) {
    std::string taken(data().substr(0, count));
    drop(count);
    return taken;
  }
  buffer_.resize(count);
  std::string taken = std::exchange(buffer_, {});
  drop(count);
  return taken;
}

void StreamReader::drop(std::size_t count) {
  begin_ += count;
  if (begin_ == end_) begin_ = end_ = 0;
  if (end_ == 0 && buffer_.size() > 4 * room_) std::exchange(buffer_, {});
  if (!paused_ || size() > limit_) return;
  paused_ = false;
  if (transport_) transport_->resume_reading();
}

void StreamReader::check_error() const {
  if (error_) std::rethrow_exception(error_);
}

Coroutine<> StreamReader::wait_for_data(const char* function) {
  if (waiting_) {
    throw RuntimeError(std::string(function) +
                       "() called while another coroutine is already waiting for incoming data: "
                       "let one task read");
  }
  if (paused_ && transport_) {  // the limit is less than what is asked for
    paused_ = false;
    transport_->resume_reading();
  }
  waiting_ = true;
  struct Done {
    ~Done() { waiting = false; }
    bool& waiting;
  } const done{waiting_};
  co_await plait::detail::make_coroutine<void>(
      new plait::detail::SignalWait<void>(more_, function));
  check_error();
}

Coroutine<std::string> StreamReader::read(std::ptrdiff_t n) {
  check_error();
  if (n == 0) co_return std::string();
  if (n < 0) {  // all stays here till the end: a cancelled read loses nothing
    while (!eof_) co_await wait_for_data("read");
    co_return take(size());
  }
  while (size() == 0 && !eof_) co_await wait_for_data("read");
  co_return take(std::min(size(), static_cast<std::size_t>(n)));
}

Coroutine<std::string> StreamReader::readexactly(std::size_t n) {
  if (n > static_cast<std::size_t>(std::numeric_limits<std::ptrdiff_t>::max())) {
    throw std::invalid_argument("readexactly(): the size is negative");
  }
  check_error();
  while (size() < n) {
    if (eof_) throw IncompleteReadError(take(size()), n);
    co_await wait_for_data("readexactly");
  }
  co_return take(n);
}

Coroutine<std::string> StreamReader::readline() {
  std::exception_ptr error;
  try {
    co_return co_await readuntil();
  } catch (IncompleteReadError& end) {
    co_return end.partial();
  } catch (const LimitOverrunError& overrun) {
    const bool at_separator = data().substr(overrun.consumed()).starts_with('\n');
    drop(at_separator ? overrun.consumed() + 1 : size());
    error = std::make_exception_ptr(std::invalid_argument(overrun.what()));
  }
  std::rethrow_exception(error);
}

Coroutine<std::string> StreamReader::readuntil(std::string separator) {
  std::vector<std::string> one;
  one.push_back(std::move(separator));
  return readuntil(std::move(one));
}

Coroutine<std::string> StreamReader::readuntil(std::vector<std::string> separators) {
  separators = checked(std::move(separators));
  check_error();
  const std::size_t longest = std::ranges::max(separators, {}, &std::string::size).size();
  std::size_t searched = 0;  // where a separator can begin at the earliest
  Match match;
  for (;;) {
    match = find_first(data(), separators, searched);
    if (match.end != std::string_view::npos) break;
    searched = size() + 1 > longest ? size() + 1 - longest : 0;
    if (searched > limit_) {
      throw LimitOverrunError("Separator is not found, and chunk exceed the limit", searched);
    }
    if (eof_) throw IncompleteReadError(take(size()), std::nullopt);
    co_await wait_for_data("readuntil");
  }
  if (match.begin > limit_) {
    throw LimitOverrunError("Separator is found, but chunk is longer than limit", match.begin);
  }
  co_return take(match.end);
}

AsyncGenerator<std::string> StreamReader::lines() {
  for (;;) {
    std::string line = co_await readline();
    if (line.empty()) co_return;
    co_yield std::move(line);
  }
}

}  // namespace plait::aio
