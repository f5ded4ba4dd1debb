// A worker process: reads calls from its socket, makes them one after the other, writes the
// results.
#include <fcntl.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <limits>
#include <map>
#include <utility>
#include <vector>

#include <plait/core/errors.hpp>
#include <plait/executors/detail/remote_call.hpp>
#include <plait/executors/detail/remote_error.hpp>
#include <plait/executors/inline_executor.hpp>

#include "core/describe_exception.hpp"
#include "executors/process/bootstrap.hpp"
#include "executors/process/call_claims.hpp"
#include "executors/process/frames.hpp"
#include "executors/process/shared_arena.hpp"

namespace plait::detail {
namespace {

// Waits where it has to. Ends the process when the pool has closed its end: there is nobody left to
// work for.
class PoolConnection final : public ByteSource {
 public:
  PoolConnection() : ByteSource({}), buffer_(receive_size) {}

  // The frame's content is what is read from now on.
  FrameHeader next_frame() {
    FrameHeader header{};
    left_ = sizeof header;
    show_frame();
    read(&header, sizeof header);
    left_ = header.size;
    show_frame();
    return header;
  }
  // What the call did not read.
  void skip_rest() {
    while (left_ > 0 || next_ != end_) {
      next_ = end_;
      if (left_ > 0) refill();
    }
  }
  std::size_t remaining() const noexcept override {
    return static_cast<std::size_t>(end_ - next_) + left_;
  }

  static void send(FrameKind kind, const Payload& content) {
    FrameHeader header{.kind = kind, .size = content.size()};
    std::vector<iovec> pieces{{&header, sizeof header}};
    content.for_each_piece([&](std::string_view piece) {
      // SAFETY: sendmsg() does not write to what it sends; its type cannot say so.
      pieces.push_back({const_cast<char*>(piece.data()), piece.size()});
    });
    for (std::size_t first = 0; first < pieces.size();) first = send_some(pieces, first);
  }

 private:
  // The first piece that was not sent.
  static std::size_t send_some(std::vector<iovec>& pieces, std::size_t first) {
    static constexpr std::size_t at_a_time = 64;
    msghdr message{};
    message.msg_iov = &pieces[first];
    message.msg_iovlen = std::min(at_a_time, pieces.size() - first);
    const ssize_t sent = ::sendmsg(worker_socket, &message, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) return first;
    if (sent < 0) std::exit(0);
    auto rest = static_cast<std::size_t>(sent);
    while (first < pieces.size() && rest >= pieces[first].iov_len) rest -= pieces[first++].iov_len;
    if (rest > 0) {
      pieces[first].iov_base = static_cast<char*>(pieces[first].iov_base) + rest;
      pieces[first].iov_len -= rest;
    }
    return first;
  }

  void read_more(void* to, std::size_t size) override {
    if (size > remaining()) {
      throw SerializationError("a call's content ends too early: is this the same program?");
    }
    auto* place = static_cast<char*>(to);
    while (size > 0) {
      const std::size_t here = std::min(size, static_cast<std::size_t>(end_ - next_));
      std::memcpy(place, next_, here);
      next_ += here;
      place += here;
      size -= here;
      if (size >= buffer_.size()) {
        const std::size_t received = receive(place, size);
        left_ -= received;
        place += received;
        size -= received;
      } else if (size > 0) {
        refill();
      }
    }
  }
  void refill() {
    received_begin_ = 0;
    received_end_ = receive(buffer_.data(), buffer_.size());
    show_frame();
  }
  // Of what was received, as much as belongs to the frame.
  void show_frame() {
    const std::size_t shown = std::min<std::size_t>(left_, received_end_ - received_begin_);
    next_ = buffer_.data() + received_begin_;
    end_ = next_ + shown;
    received_begin_ += shown;
    left_ -= shown;
  }
  static std::size_t receive(char* to, std::size_t size) {
    for (;;) {
      const ssize_t received = ::recv(worker_socket, to, size, 0);
      if (received > 0) return static_cast<std::size_t>(received);
      if (received == 0 || errno != EINTR) std::exit(0);
    }
  }

  std::vector<char> buffer_;
  std::size_t received_begin_ = 0;  // of buffer_: what no frame was shown of yet
  std::size_t received_end_ = 0;
  std::size_t left_ = 0;  // of the frame: what was not received yet, or not shown
};

// Set in a child that a task has made by fork() and that has come back from the task: it has no
// business with the pool.
bool forked = false;

void leave_if_forked() {
  if (forked) std::_Exit(0);
}

// Runs in: a handler. pthread_exit(), which is caught without being an exception, ends this
// process, whatever threads it has.
void exit_if_unwound() {
  if (!std::current_exception()) std::_Exit(0);
}

// What a task has printed is seen before its result, and is not lost if the worker is killed.
void flush_output() {
  try {
    std::cout.flush();
    std::clog.flush();
  } catch (...) {
    // The task has asked the stream to throw; its result is none the worse for that.
  }
  for (std::FILE* const stream : {stdout, stderr})
    std::fflush(stream);  // not all: some may be locked
}

void send_error(const std::exception_ptr& error) {
  leave_if_forked();
  Payload content;
  try {
    encode_error(error, content);
  } catch (...) {
    content = Payload();
    encode_error(
        std::make_exception_ptr(SerializationError(
            "an exception could not be sent from the worker process: " + describe_exception(error) +
            "; its save() threw " + describe_exception(std::current_exception()))),
        content);
  }
  flush_output();
  PoolConnection::send(FrameKind::error, content);
}

class CallReply final : public Reply {
 public:
  void begin_call() override { stage_ = Stage::call; }
  void begin_result() override { stage_ = Stage::result; }
  void send(const Payload& payload) override {
    leave_if_forked();
    flush_output();
    PoolConnection::send(FrameKind::result, payload);
    sent_ = true;
  }
  // Runs in: a handler. The error of the stage at which it was thrown.
  void fail() {
    if (sent_) return;  // by a destructor of what the call has used
    if (stage_ == Stage::call) return send_error(std::current_exception());
    try {
      std::throw_with_nested(SerializationError(
          std::string(stage_ == Stage::arguments
                          ? "the arguments could not be read in the worker process: "
                          : "the result could not be sent from the worker process: ") +
          describe_exception(std::current_exception())));
    } catch (...) {
      send_error(std::current_exception());
    }
  }

 private:
  enum class Stage { arguments, call, result };
  Stage stage_ = Stage::arguments;
  bool sent_ = false;
};

using Serve = void(FrameReader&, Reply&);

// The worker's halves of the calls that it was asked for. One thread uses it.
Serve* find_function(const CodeAddress& address) {
  static std::map<std::pair<std::uint64_t, std::uint64_t>, Serve*> found;
  Serve*& function = found[{address.module, address.offset}];
  if (!function) function = function_at<Serve>(address);
  if (!function) throw_code_mismatch();
  return function;
}

void serve(PoolConnection& pool) {
  CallReply reply;
  FrameReader in(pool);
  try {
    CodeAddress address;
    in(address.module, address.offset);
    find_function(address)(in, reply);
  } catch (...) {
    exit_if_unwound();
    pool.skip_rest();  // first: what the pool has not sent yet lies in the task that ends now
    reply.fail();
  }
  pool.skip_rest();
}

// The kernel kills this process, and what its tasks have started, when the pool's has ended,
// whatever runs here.
void hold_lifeline() {
  for (const int fd : {worker_socket, worker_lifeline}) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  ::fcntl(worker_lifeline, F_SETOWN, -::getpgrp());  // its own group
  ::fcntl(worker_lifeline, F_SETSIG, SIGKILL);
  if (::fcntl(worker_lifeline, F_SETFL, O_ASYNC | O_NONBLOCK) != 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  }
  char nothing = 0;
  if (::read(worker_lifeline, &nothing, 1) == 0) std::_Exit(0);
}

// False: told the pool what went wrong.
bool prepare(PoolConnection& pool) {
  WorkerSettings settings;
  pool.next_frame();
  pool.read(&settings, sizeof settings);
  try {
    if (settings.memory_limit > 0) {
      const rlimit limit{settings.memory_limit, settings.memory_limit};
      if (::setrlimit(RLIMIT_DATA, &limit) != 0) {
        throw std::system_error(errno, std::generic_category(), "setrlimit(RLIMIT_DATA)");
      }
    }
    SharedArena::open_in_worker(settings.arena, worker_arena);
    if (settings.initializer_module != 0) {
      auto* const initializer =
          function_at<void()>({settings.initializer_module, settings.initializer_offset});
      if (!initializer) throw_code_mismatch();
      initializer();
    }
  } catch (...) {
    exit_if_unwound();
    send_error(std::current_exception());
    return false;
  }
  flush_output();
  PoolConnection::send(FrameKind::hello, {});
  return true;
}

}  // namespace

void throw_code_mismatch() {
  throw SerializationError(
      "the worker process has no such function: it lies in a library that is not loaded there, or "
      "that was replaced since. Load libraries in the pool's initializer.");
}

void run_to_end(Coroutine<> coroutine) { InlineExecutor().submit(std::move(coroutine)).result(); }

void run_worker() noexcept {
  hold_lifeline();
  ::pthread_atfork(nullptr, nullptr, [] { forked = true; });
  ::prctl(PR_SET_NAME, "plait-worker");
  CallClaims claims(worker_claims);
  PoolConnection pool;
  if (!prepare(pool)) std::exit(1);
  for (;;) {
    const FrameHeader frame = pool.next_frame();
    if (frame.kind == FrameKind::call && claims.claim(frame.epoch)) {
      serve(pool);
    } else {
      pool.skip_rest();  // it was called back
    }
  }
}

}  // namespace plait::detail
