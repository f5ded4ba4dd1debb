// Bytes and bookkeeping of one worker.
#include "executors/process/worker_link.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <utility>

namespace plait::detail {

WorkerLink::WorkerLink(const WorkerSettings& settings, int arena)
    : buffer_(std::make_unique_for_overwrite<char[]>(receive_size)), capacity_(receive_size) {
  spawn_worker({.claims = claims_.fd(), .arena = arena}, process_);
  claims_.close_fd();
  Payload content;
  content.append(&settings, sizeof settings);
  queue(FrameKind::start, content);
  flush();
}

WorkerLink::~WorkerLink() {
  while (!tasks_.empty()) take_first();
}

void WorkerLink::become_ready() noexcept {
  phase_ = Phase::ready;
  since_ = Clock::now();
}

// What was given to it is in the socket before the end of the stream.
void WorkerLink::retire() noexcept {
  phase_ = Phase::retiring;
  if (!has_unsent()) ::shutdown(process_.socket.get(), SHUT_WR);
}

// ---------------------------------------------------------------- tasks

void WorkerLink::give(TaskPtr task) {
  if (tasks_.empty()) since_ = Clock::now();
  queue(FrameKind::call, task->content);
  tasks_.push_back(std::move(task));
  ++given_;
}

std::vector<TaskPtr> WorkerLink::take_back() {
  if (has_unsent()) return {};
  const std::uint32_t begun = claims_.call_back() - answered_;
  std::vector<TaskPtr> rest;
  if (begun < tasks_.size()) {
    const auto first = tasks_.begin() + static_cast<std::ptrdiff_t>(begun);
    rest.assign(std::move_iterator(first), std::move_iterator(tasks_.end()));
    tasks_.erase(first, tasks_.end());
  }
  return rest;
}

TaskPtr WorkerLink::take_first() {
  TaskPtr task = std::move(tasks_.front());
  tasks_.pop_front();
  if (bulk_ && bulk_->fits) task->call->drop_room(*task->job);  // it was received in part
  bulk_.reset();
  return task;
}

// A moving average, that forgets quickly: one long task ends the sending ahead.
void WorkerLink::results_came(std::size_t count) {
  const auto now = Clock::now();
  if (count > 0) {
    const Duration each = (now - since_) / static_cast<Duration::rep>(count);
    usual_time_ = (usual_time_ + each) / 2;
    if (each > usual_time_) usual_time_ = each;
  }
  since_ = now;
}

// ---------------------------------------------------------------- sending

void WorkerLink::queue(FrameKind kind, const Payload& content) {
  const FrameHeader header{.kind = kind, .epoch = claims_.epoch(), .size = content.size()};
  // SAFETY: the header has no padding, and is read by the same program.
  own_bytes().append(reinterpret_cast<const char*>(&header), sizeof header);
  content.for_each_piece([&](std::string_view piece) {
    if (piece.size() < receive_size) {
      own_bytes() += piece;
    } else {
      unsent_.emplace_back().borrowed = piece;
    }
  });
}

// Small frames are sent together.
std::string& WorkerLink::own_bytes() {
  if (unsent_.empty() || !unsent_.back().borrowed.empty() ||
      unsent_.back().owned.size() >= receive_size) {
    unsent_.emplace_back();
  }
  return unsent_.back().owned;
}

void WorkerLink::flush() noexcept {
  static constexpr std::size_t at_a_time = 64;
  while (!unsent_.empty()) {
    std::array<iovec, at_a_time> pieces;
    std::size_t count = 0;
    for (const Piece& piece : unsent_) {
      if (count == pieces.size()) break;
      // SAFETY: sendmsg() does not write to what it sends; its type cannot say so.
      const std::string_view rest = piece.rest();
      pieces[count++] = {const_cast<char*>(rest.data()), rest.size()};
    }
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = count;
    const ssize_t sent = ::sendmsg(process_.socket.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (sent < 0) return unsent_.clear();  // it is dead, which is noticed elsewhere
    drop_sent(static_cast<std::size_t>(sent));
  }
  if (phase_ == Phase::retiring) ::shutdown(process_.socket.get(), SHUT_WR);
}

void WorkerLink::drop_sent(std::size_t size) {
  while (size > 0) {
    Piece& piece = unsent_.front();
    const std::size_t rest = piece.rest().size();
    if (size < rest) {
      piece.sent += size;
      return;
    }
    size -= rest;
    unsent_.pop_front();
  }
}

// ---------------------------------------------------------------- receiving

WorkerLink::Received WorkerLink::receive(
    const std::function<void(FrameKind, std::string_view)>& handle) {
  for (auto result = Received::nothing;; result = Received::something) {
    const std::span<char> room = receive_room();
    const ssize_t received = ::recv(process_.socket.get(), room.data(), room.size(), MSG_DONTWAIT);
    if (received < 0 && errno == EINTR) continue;
    if (received < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return result;
    if (received <= 0) return Received::end;
    took(static_cast<std::size_t>(received));
    const std::size_t results = pop_frames(handle);
    if (results > 0) results_came(results);
    if (static_cast<std::size_t>(received) < room.size()) return Received::something;
  }
}

std::span<char> WorkerLink::receive_room() {
  if (bulk_) return bulk_room();
  try {
    make_room();
  } catch (const std::bad_alloc&) {
    if (begin_ != end_) {
      skip_frame();
      return bulk_room();
    }
    begin_ = end_ = 0;  // a smaller buffer would have done
  }
  return {buffer_.get() + end_, capacity_ - end_};
}

void WorkerLink::took(std::size_t received) {
  if (!bulk_) {
    end_ += received;
    return;
  }
  if (bulk_->fits) bulk_->room = bulk_->room.subspan(received);
  bulk_->left -= received;
}

// How many of the frames end a task.
std::size_t WorkerLink::pop_frames(const std::function<void(FrameKind, std::string_view)>& handle) {
  std::size_t results = 0;
  for (;;) {
    if (bulk_ && bulk_->left > 0) return results;
    if (std::exchange(bulk_, std::nullopt)) {
      ++results;
      ++answered_;
      handle(FrameKind::bulk, {});
    }
    FrameHeader header{};
    const std::size_t there = end_ - begin_;
    if (there < sizeof header) break;
    std::memcpy(&header, buffer_.get() + begin_, sizeof header);
    const bool bulk = is_bulk(header);
    if (there - sizeof header < (bulk ? sizeof(std::uint64_t) : header.size)) break;
    begin_ += sizeof header;
    if (bulk) {
      begin_bulk(header);
      continue;
    }
    begin_ += header.size;
    if (header.kind != FrameKind::hello) {
      ++results;
      ++answered_;
    }
    handle(header.kind, {buffer_.get() + begin_ - header.size, header.size});
  }
  if (begin_ == end_) begin_ = end_ = 0;
  return results;
}

// ---------------------------------------------------------------- large results

bool WorkerLink::is_bulk(const FrameHeader& header) const {
  return header.kind == FrameKind::result && header.size >= bulk_size && !tasks_.empty() &&
         tasks_.front()->call->make_room;
}

// The number of elements was received, and perhaps some of them.
void WorkerLink::begin_bulk(const FrameHeader& header) {
  std::uint64_t elements = 0;
  std::memcpy(&elements, buffer_.get() + begin_, sizeof elements);
  begin_ += sizeof elements;
  bulk_ = {.elements = elements, .left = header.size - sizeof elements};
  try {
    const Task& task = *tasks_.front();
    task.call->make_room(*task.job, elements, bulk_->left);
    bulk_->fits = true;
  } catch (...) {
    bulk_error_ = std::current_exception();
  }
  while (begin_ < end_ && bulk_->left > 0) {
    const std::span<char> room = bulk_room();
    const std::size_t here = std::min(end_ - begin_, room.size());
    if (bulk_->fits) std::memcpy(room.data(), buffer_.get() + begin_, here);
    begin_ += here;
    took(here);
  }
}

std::span<char> WorkerLink::bulk_room() {
  if (!bulk_->fits) return {buffer_.get(), std::min(capacity_, bulk_->left)};
  if (bulk_->room.empty()) {
    const Task& task = *tasks_.front();
    bulk_->room = task.call->next_room(*task.job, bulk_->elements);
  }
  return bulk_->room;
}

// There is no memory for it.
void WorkerLink::skip_frame() {
  FrameHeader header{};
  std::memcpy(&header, buffer_.get() + begin_, sizeof header);
  bulk_ = {.elements = 0, .left = header.size - (end_ - begin_ - sizeof header)};
  bulk_error_ = std::current_exception();
  begin_ = end_ = 0;
}

// ---------------------------------------------------------------- room for the rest

// Room for the whole frame that has begun, and for something at all.
void WorkerLink::make_room() {
  std::size_t needed = receive_size;
  FrameHeader header{};
  if (end_ - begin_ >= sizeof header) {
    std::memcpy(&header, buffer_.get() + begin_, sizeof header);
    if (!is_bulk(header)) needed = std::max(needed, sizeof header + header.size);
  }
  const bool too_large = begin_ == end_ && capacity_ > 16 * receive_size;
  if (begin_ + needed <= capacity_ && end_ < capacity_ && !too_large) return;
  if (needed > capacity_ || too_large) {
    auto larger = std::make_unique_for_overwrite<char[]>(needed);
    if (end_ > begin_) std::memcpy(larger.get(), buffer_.get() + begin_, end_ - begin_);
    buffer_ = std::move(larger);
    capacity_ = needed;
  } else {
    std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
  }
  end_ -= begin_;
  begin_ = 0;
}

}  // namespace plait::detail
