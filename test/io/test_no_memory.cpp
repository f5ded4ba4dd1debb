// I/O where an allocation fails: what was opened for it is closed, and no child is left.
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <new>
#include <plait/aio.hpp>
#include <plait/io/datagrams.hpp>
#include <plait/io/streams.hpp>
#include <plait/io/subprocess.hpp>
#include <string>
#include <utility>
#include <vector>

#include "support/loop_probe.hpp"
#include "support/nothing_left.hpp"
#include "support/on_loop.hpp"
#include "support/stream_work.hpp"

namespace {

// How many allocations of this thread succeed before one fails; -1: all do.
thread_local long allocations_left = -1;

[[noreturn, gnu::noinline]] void fail() { throw std::bad_alloc(); }

void* allocate(std::size_t size) {
  if (allocations_left >= 0 && allocations_left-- == 0) fail();
  if (void* const memory = std::malloc(size > 0 ? size : 1)) return memory;
  throw std::bad_alloc();
}

}  // namespace

// Not inlined, as GCC would warn of a free() that it does not know to belong to this operator new.
[[gnu::noinline]] void* operator new(std::size_t size) { return allocate(size); }
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace plait::test {
namespace {

TEST_SUITE_BEGIN("io/no_memory");

using Attempt = std::function<Coroutine<>()>;

// Has one allocation after the other fail, until the attempt needs no more of them.
Coroutine<> fail_each_allocation(Attempt attempt) {
  co_await attempt();  // makes what is made once
  for (long n = 0;; ++n) {
    co_await settle();
    const auto descriptors = descriptor_count();
    auto trying = attempt();
    allocations_left = n;
    bool failed = false;
    try {
      co_await std::move(trying);
    } catch (const std::bad_alloc&) {
      failed = true;
    }
    const bool enough = std::exchange(allocations_left, -1) >= 0;
    INFO("allocation " << n);
    auto closing = comes_true([=] { return descriptor_count() == descriptors; });
    CHECK(co_await std::move(closing));
    CHECK_FALSE((failed && enough));
    if (enough) co_return;
  }
}

std::pair<int, int> socket_ends() {
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
  return {ends[0], ends[1]};
}

TEST_CASE_FIXTURE(NothingLeft, "no memory: a given socket is closed") {
  on_loop([]() -> Coroutine<> {
    const auto attempt = []() -> Coroutine<> {
      const auto [near, far] = socket_ends();
      ::close(far);
      auto opening = aio::open_connection(near);
      co_await std::move(opening);
    };
    co_await fail_each_allocation(attempt);
  });
}

TEST_CASE_FIXTURE(NothingLeft, "no memory: a pipe's end is closed") {
  on_loop([]() -> Coroutine<> {
    const auto attempt = []() -> Coroutine<> {
      Pipe pipe;
      auto reading = aio::connect_read_pipe(pipe.release_reader());
      const auto reader = co_await std::move(reading);
      auto writing = aio::connect_write_pipe(pipe.release_writer());
      const auto writer = co_await std::move(writing);
    };
    co_await fail_each_allocation(attempt);
  });
}

Coroutine<> ignore_client(ReaderPtr, WriterPtr) { co_return; }

TEST_CASE_FIXTURE(NothingLeft, "no memory: a server that cannot be made closes its sockets") {
  on_loop([]() -> Coroutine<> {
    const auto attempt = []() -> Coroutine<> {
      auto starting = aio::start_server(ignore_client, "127.0.0.1", 0);
      co_await std::move(starting);
    };
    co_await fail_each_allocation(attempt);
  });
}

TEST_CASE_FIXTURE(NothingLeft, "no memory: a datagram socket that cannot be used is closed") {
  on_loop([]() -> Coroutine<> {
    const auto attempt = []() -> Coroutine<> {
      aio::DatagramOptions options;
      options.local_addr.emplace("127.0.0.1", 0);
      auto making = aio::create_datagram_endpoint(
          [] { return std::make_shared<aio::DatagramProtocol>(); }, options);
      const auto endpoint = co_await std::move(making);
      endpoint.first->abort();
    };
    co_await fail_each_allocation(attempt);
  });
}

TEST_CASE_FIXTURE(NothingLeft, "no memory: a child is reaped, and its pipes are closed") {
  on_loop([]() -> Coroutine<> {
    const auto attempt = []() -> Coroutine<> {
      aio::SubprocessOptions options;
      options.in = options.out = options.err = aio::Stdio::pipe;
      auto starting = aio::create_subprocess_exec(options, "/bin/true");
      const auto process = co_await std::move(starting);
      co_await process->wait();
    };
    co_await fail_each_allocation(attempt);
    CHECK(co_await comes_true([] { return !has_children(); }));
  });
}

// Connects from outside of the loop.
class Client {
 public:
  explicit Client(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    // SAFETY: this is how the sockets API shows addresses of all kinds.
    REQUIRE(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }
  ~Client() { ::close(fd_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Whether the other side has closed.
  bool ended() const {
    char byte = 0;
    return ::recv(fd_, &byte, 1, MSG_DONTWAIT) == 0;
  }

 private:
  const int fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
};

Coroutine<> accept_without_memory() {
  Reports reports(aio::get_running_loop());
  int served = 0;
  const auto count = [&served](ReaderPtr, WriterPtr) {
    ++served;
    return nothing_more();
  };
  const auto server = co_await aio::start_server(count, "127.0.0.1", 0);
  for (long n = 0;; ++n) {
    const int before = served;
    const Client client(server->port());
    allocations_left = n;
    while (served == before && allocations_left >= 0) {
      try {
        co_await aio::yield();
      } catch (const std::bad_alloc&) {  // it was this one's turn
      }
    }
    const bool enough = std::exchange(allocations_left, -1) >= 0;
    INFO("allocation " << n);
    CHECK(co_await comes_true([&] { return client.ended(); }));
    if (enough) break;
  }
  CHECK(reports.size() > 0);
}

TEST_CASE_FIXTURE(NothingLeft, "no memory: a server closes what it cannot serve, and goes on") {
  on_loop(accept_without_memory);
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
