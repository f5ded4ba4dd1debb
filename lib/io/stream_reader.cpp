// How bytes that came in are kept and found.
#include <plait/io/stream_reader.hpp>

#include <algorithm>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <utility>

#include <plait/core/errors.hpp>
#include <plait/io/errors.hpp>

#include "io/stream_buffer.hpp"

namespace plait::detail {
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
  // Of those that end in the same place the shortest one counts.
  std::ranges::sort(separators, {}, &std::string::size);
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

StreamBuffer::StreamBuffer(std::size_t limit) : limit_(checked(limit)), room_(least_room) {}

// ---------------------------------------------------------------- what comes in

void StreamBuffer::set_transport(std::shared_ptr<aio::Transport> transport) {
  transport_ = std::move(transport);
  paused_ = false;
  pause_if_full();
}

void StreamBuffer::reader_dropped() noexcept {
  dropped_ = true;
  if (waiting_) more_.wake_all(destroyed_error("StreamReader"));
  const auto transport = std::exchange(transport_, nullptr);
  if (!transport) return;
  try {
    if (!transport->can_write()) {
      transport->close();
    } else if (paused_) {
      transport->resume_reading();  // what comes from now on is dropped
    }
  } catch (...) {  // out of memory
    transport->abort();
  }
}

void StreamBuffer::feed_data(std::string_view data) {
  if (eof_) throw RuntimeError("feed_data() after feed_eof()");
  if (data.empty()) return;
  while (room().size() < data.size()) room_ = data.size();
  std::memcpy(buffer_.data() + end_, data.data(), data.size());
  end_ += data.size();
  room_ = std::clamp(room_, least_room, largest_room);
  more_.wake_all();
  pause_if_full();
}

void StreamBuffer::feed_eof() noexcept {
  eof_ = true;
  more_.wake_all();
}

void StreamBuffer::set_exception(std::exception_ptr error) noexcept {
  error_ = std::move(error);
  more_.wake_all();
}

// What lies here moves to the front if that is enough.
std::span<char> StreamBuffer::room() {
  if (end_ + room_ > buffer_.size()) {
    if (begin_ > 0) {
      std::memmove(buffer_.data(), buffer_.data() + begin_, size());
      end_ -= std::exchange(begin_, 0);
    }
    if (end_ + room_ > buffer_.size()) buffer_.resize(end_ + room_);
  }
  return {buffer_.data() + end_, buffer_.size() - end_};
}

void StreamBuffer::received(std::size_t count) {
  if (count >= room_) {
    room_ = std::min(room_ * 2, largest_room);
  } else if (count < room_ / 8) {
    room_ = std::max(room_ / 2, least_room);
  }
  end_ += count;
  more_.wake_all();
  pause_if_full();
}

void StreamBuffer::pause_if_full() {
  if (paused_ || !transport_ || size() <= 2 * limit_) return;
  transport_->pause_reading();
  paused_ = true;
}

// ---------------------------------------------------------------- what goes out

// Most of what lies here is given away as it is, instead of being copied.
std::string StreamBuffer::take(std::size_t count) {
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

void StreamBuffer::drop(std::size_t count) {
  begin_ += count;
  taken_ += count;
  if (begin_ == end_) begin_ = end_ = 0;
  if (end_ == 0 && buffer_.size() > 4 * room_) std::exchange(buffer_, {});
  if (size() <= limit_) resume_if_paused();
}

void StreamBuffer::resume_if_paused() {
  if (!std::exchange(paused_, false)) return;
  if (transport_) transport_->resume_reading();
}

void StreamBuffer::check_error() const {
  if (error_) std::rethrow_exception(error_);
}

Coroutine<> StreamBuffer::wait_for_data(std::shared_ptr<StreamBuffer> self, const char* function) {
  if (self->waiting_) {
    throw RuntimeError(std::string(function) +
                       "() called while another coroutine is already waiting for incoming data: "
                       "let one task read");
  }
  if (self->dropped_) std::rethrow_exception(destroyed_error("StreamReader"));
  self->resume_if_paused();  // the limit is less than what is asked for
  self->waiting_ = true;
  struct Done {
    ~Done() { waiting = false; }
    bool& waiting;
  } const done{self->waiting_};
  co_await make_coroutine<void>(new SignalWait<void>(self->more_, function));
  self->check_error();
}

// ---------------------------------------------------------------- reads

namespace {

using BufferPtr = std::shared_ptr<StreamBuffer>;

Coroutine<std::string> read(BufferPtr in, std::ptrdiff_t n) {
  in->check_error();
  if (n == 0) co_return std::string();
  if (n < 0) {  // all stays here till the end: a cancelled read loses nothing
    while (!in->eof()) co_await StreamBuffer::wait_for_data(in, "read");
    co_return in->take(in->size());
  }
  while (in->size() == 0 && !in->eof()) co_await StreamBuffer::wait_for_data(in, "read");
  co_return in->take(std::min(in->size(), static_cast<std::size_t>(n)));
}

Coroutine<std::string> readexactly(BufferPtr in, std::size_t n) {
  if (n > static_cast<std::size_t>(std::numeric_limits<std::ptrdiff_t>::max())) {
    throw std::invalid_argument("readexactly(): the size is negative");
  }
  in->check_error();
  while (in->size() < n) {
    if (in->eof()) throw aio::IncompleteReadError(in->take(in->size()), n);
    co_await StreamBuffer::wait_for_data(in, "readexactly");
  }
  co_return in->take(n);
}

Coroutine<std::string> readuntil(BufferPtr in, std::vector<std::string> separators) {
  separators = checked(std::move(separators));
  in->check_error();
  const std::size_t longest = std::ranges::max(separators, {}, &std::string::size).size();
  std::size_t searched = 0;  // where a separator can begin at the earliest
  std::size_t taken = in->taken();
  Match match;
  for (;;) {
    match = find_first(in->data(), separators, searched);
    if (match.end != std::string_view::npos) break;
    searched = in->size() + 1 > longest ? in->size() + 1 - longest : 0;
    if (searched > in->limit()) {
      throw aio::LimitOverrunError("Separator is not found, and chunk exceed the limit", searched);
    }
    if (in->eof()) throw aio::IncompleteReadError(in->take(in->size()), std::nullopt);
    co_await StreamBuffer::wait_for_data(in, "readuntil");
    if (std::exchange(taken, in->taken()) != in->taken()) searched = 0;  // another one has read
  }
  if (match.begin > in->limit()) {
    throw aio::LimitOverrunError("Separator is found, but chunk is longer than limit", match.begin);
  }
  co_return in->take(match.end);
}

std::vector<std::string> one(std::string separator) {
  std::vector<std::string> separators;
  separators.push_back(std::move(separator));
  return separators;
}

Coroutine<std::string> readline(BufferPtr in) {
  std::exception_ptr error;
  try {
    auto reading = readuntil(in, one("\n"));
    co_return co_await std::move(reading);
  } catch (aio::IncompleteReadError& end) {
    co_return end.partial();
  } catch (const aio::LimitOverrunError& overrun) {
    const bool at_separator = in->data().substr(overrun.consumed()).starts_with('\n');
    in->drop(at_separator ? overrun.consumed() + 1 : in->size());
    error = std::make_exception_ptr(std::invalid_argument(overrun.what()));
  }
  std::rethrow_exception(error);
}

aio::AsyncGenerator<std::string> lines(BufferPtr in) {
  for (;;) {
    std::string line = co_await readline(in);
    if (line.empty()) co_return;
    co_yield std::move(line);
  }
}

}  // namespace
}  // namespace plait::detail

namespace plait::aio {

IncompleteReadError::IncompleteReadError(std::string partial, std::optional<std::size_t> expected)
    : Error("the stream ended after " + std::to_string(partial.size()) + " of " +
            (expected ? std::to_string(*expected) : std::string("an unknown number of")) +
            " expected bytes"),
      partial_(std::move(partial)),
      expected_(expected) {}

StreamReader::StreamReader(std::size_t limit)
    : buffer_(std::make_shared<plait::detail::StreamBuffer>(limit)) {}
StreamReader::~StreamReader() { buffer_->reader_dropped(); }

void StreamReader::feed_data(std::string_view data) { buffer_->feed_data(data); }
void StreamReader::feed_eof() { buffer_->feed_eof(); }
void StreamReader::set_exception(std::exception_ptr error) {
  buffer_->set_exception(std::move(error));
}
std::exception_ptr StreamReader::exception() const noexcept { return buffer_->exception(); }
bool StreamReader::at_eof() const noexcept { return buffer_->eof() && buffer_->size() == 0; }

Coroutine<std::string> StreamReader::read(std::ptrdiff_t n) {
  return plait::detail::read(buffer_, n);
}
Coroutine<std::string> StreamReader::readexactly(std::size_t n) {
  return plait::detail::readexactly(buffer_, n);
}
Coroutine<std::string> StreamReader::readline() { return plait::detail::readline(buffer_); }
Coroutine<std::string> StreamReader::readuntil(std::string separator) {
  return plait::detail::readuntil(buffer_, plait::detail::one(std::move(separator)));
}
Coroutine<std::string> StreamReader::readuntil(std::vector<std::string> separators) {
  return plait::detail::readuntil(buffer_, std::move(separators));
}
AsyncGenerator<std::string> StreamReader::lines() { return plait::detail::lines(buffer_); }

}  // namespace plait::aio
