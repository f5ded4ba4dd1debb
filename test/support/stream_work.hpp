// Connected streams over TCP and over Unix sockets, for the tests of streams and servers.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <plait/aio.hpp>
#include <plait/io/streams.hpp>
#include <plait/io/transport.hpp>
#include <stdexcept>
#include <string>
#include <system_error>
#include <tuple>
#include <utility>

#include "process_probe.hpp"

namespace plait::test {

// A folder of its own, removed with what lies in it.
class SocketFolder {
 public:
  SocketFolder() {
    std::string name = "/tmp/plait_sockets_XXXXXX";
    if (!::mkdtemp(name.data())) throw std::runtime_error("mkdtemp() has failed");
    path_ = name;
  }
  ~SocketFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  SocketFolder(const SocketFolder&) = delete;
  SocketFolder& operator=(const SocketFolder&) = delete;

  std::filesystem::path path(const char* name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

enum class Family { tcp, local };
constexpr std::array<Family, 2> families{Family::tcp, Family::local};

using ServerPtr = std::shared_ptr<aio::Server>;
using ReaderPtr = std::shared_ptr<aio::StreamReader>;
using WriterPtr = std::shared_ptr<aio::StreamWriter>;

// Where a server listens, and how it is reached.
class Place {
 public:
  explicit Place(Family family) : family_(family) {}

  Coroutine<ServerPtr> serve(aio::ClientConnected cb,
                             aio::StreamOptions options = aio::StreamOptions()) const {
    if (family_ == Family::tcp) {
      return aio::start_server(std::move(cb), "127.0.0.1", 0, std::move(options));
    }
    return aio::start_unix_server(std::move(cb), folder_.path("socket"), std::move(options));
  }
  Coroutine<aio::Streams> connect(const aio::Server& server,
                                  aio::StreamOptions options = aio::StreamOptions()) const {
    if (family_ == Family::tcp) {
      return aio::open_connection("127.0.0.1", server.port(), std::move(options));
    }
    return aio::open_unix_connection(folder_.path("socket"), std::move(options));
  }

 private:
  const Family family_;
  const SocketFolder folder_;
};

// Gives way until the condition holds; false when a third of the case's deadline has passed.
template <class Condition>
Coroutine<bool> comes_true(Condition condition) {
  const auto give_up = std::chrono::steady_clock::now() + case_deadline() / 3;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > give_up) co_return false;
    co_await aio::yield();
  }
  co_return true;
}

// The two ends of one connection, and the server that has brought the far one.
struct Ends {
  ServerPtr server;
  ReaderPtr reader, far_reader;
  WriterPtr writer, far_writer;
};

inline Coroutine<> nothing_more() { co_return; }

// Keeps both halves of the latest connection, and ends.
inline aio::ClientConnected keep_in(const std::shared_ptr<aio::Streams>& kept) {
  return [kept](ReaderPtr reader, WriterPtr writer) {
    *kept = {std::move(reader), std::move(writer)};
    return nothing_more();
  };
}

inline Coroutine<Ends> connected(const Place& place,
                                 aio::StreamOptions options = aio::StreamOptions()) {
  const auto far = std::make_shared<aio::Streams>();
  auto starting = place.serve(keep_in(far), options);
  Ends ends;
  ends.server = co_await std::move(starting);
  auto connecting = place.connect(*ends.server, options);
  std::tie(ends.reader, ends.writer) = co_await std::move(connecting);
  auto accepting = comes_true([far] { return far->first != nullptr; });
  if (!co_await std::move(accepting)) throw std::runtime_error("nobody has accepted");
  std::tie(ends.far_reader, ends.far_writer) = std::exchange(*far, {});
  co_return ends;
}

// The error_code of what `body` throws; none: it throws nothing.
template <class T>
Coroutine<std::error_code> error_of(Coroutine<T> body) {
  try {
    co_await std::move(body);
  } catch (const std::system_error& error) {
    co_return error.code();
  }
  co_return std::error_code();
}

// Two ends of a pipe; those that were not released are closed with it.
class Pipe {
 public:
  Pipe() {
    if (::pipe2(ends_.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2() has failed");
  }
  ~Pipe() {
    close_reader();
    close_writer();
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  int reader() const { return ends_[0]; }
  int writer() const { return ends_[1]; }
  int release_reader() { return std::exchange(ends_[0], -1); }
  int release_writer() { return std::exchange(ends_[1], -1); }
  void close_reader() { close_end(0); }
  void close_writer() { close_end(1); }

 private:
  void close_end(std::size_t end) {
    if (ends_[end] >= 0) ::close(std::exchange(ends_[end], -1));
  }

  std::array<int, 2> ends_{-1, -1};
};

}  // namespace plait::test
