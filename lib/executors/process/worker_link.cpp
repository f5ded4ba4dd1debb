// Bytes and bookkeeping of one worker.
#include "executors/process/worker_link.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace plait::detail {

WorkerLink::WorkerLink(const WorkerSettings& settings) : process_(spawn_worker()) {
  Payload content;
  content.append(&settings, sizeof settings);
  queue(FrameKind::start, content);
  flush();
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

TaskPtr WorkerLink::take_first() {
  TaskPtr task = std::move(tasks_.front());
  tasks_.pop_front();
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
  const FrameHeader header{.kind = kind, .size = content.size()};
  std::string bytes;
  bytes.reserve(sizeof header + std::min(content.size(), receive_size));
  // SAFETY: the header has no padding, and is read by the same program.
  bytes.append(reinterpret_cast<const char*>(&header), sizeof header);
  content.for_each_piece([&](std::string_view piece) {
    if (piece.size() < receive_size) {
      bytes += piece;
      return;
    }
    queue(std::exchange(bytes, {}));
    unsent_.push_back({{}, piece});
  });
  queue(std::move(bytes));
}

void WorkerLink::queue(std::string bytes) {
  if (bytes.empty()) return;
  Piece& piece = unsent_.emplace_back();
  piece.owned = std::move(bytes);
  piece.bytes = piece.owned;
}

void WorkerLink::flush() noexcept {
  static constexpr std::size_t at_a_time = 64;
  while (!unsent_.empty()) {
    std::array<iovec, at_a_time> pieces;
    std::size_t count = 0;
    for (const Piece& piece : unsent_) {
      if (count == pieces.size()) break;
      // SAFETY: sendmsg() does not write to what it sends; its type cannot say so.
      pieces[count++] = {const_cast<char*>(piece.bytes.data()), piece.bytes.size()};
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
    std::string_view& bytes = unsent_.front().bytes;
    const std::size_t taken = std::min(size, bytes.size());
    bytes.remove_prefix(taken);
    size -= taken;
    if (bytes.empty()) unsent_.pop_front();
  }
}

// ---------------------------------------------------------------- receiving

bool WorkerLink::receive(const std::function<void(FrameKind, std::string_view)>& handle) {
  for (;;) {
    make_room();
    const std::size_t room = capacity_ - end_;
    const ssize_t received =
        ::recv(process_.socket.get(), buffer_.get() + end_, room, MSG_DONTWAIT);
    if (received < 0 && errno == EINTR) continue;
    if (received < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return true;
    if (received <= 0) return false;
    end_ += static_cast<std::size_t>(received);
    const std::size_t results = pop_frames(handle);
    if (results > 0) results_came(results);
    if (static_cast<std::size_t>(received) < room) return true;
  }
}

std::size_t WorkerLink::pop_frames(const std::function<void(FrameKind, std::string_view)>& handle) {
  std::size_t results = 0;
  for (;;) {
    FrameHeader header{};
    if (end_ - begin_ < sizeof header) break;
    std::memcpy(&header, buffer_.get() + begin_, sizeof header);
    if (end_ - begin_ - sizeof header < header.size) break;
    const std::string_view content(buffer_.get() + begin_ + sizeof header, header.size);
    begin_ += sizeof header + header.size;
    if (header.kind != FrameKind::hello) ++results;
    handle(header.kind, content);
  }
  if (begin_ == end_) begin_ = end_ = 0;
  return results;
}

// Room for the whole frame that has begun, and for something at all.
void WorkerLink::make_room() {
  std::size_t needed = receive_size;
  FrameHeader header{};
  if (end_ - begin_ >= sizeof header) {
    std::memcpy(&header, buffer_.get() + begin_, sizeof header);
    needed = std::max(needed, sizeof header + header.size);
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
