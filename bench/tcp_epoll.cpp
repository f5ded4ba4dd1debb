// Peer of tcp: epoll and the system calls, as one would write it in C.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <thread>
#include <vector>

#include "harness.hpp"
#include "tcp_contender.hpp"

namespace bench {
namespace {

constexpr int events_at_a_time = 64;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

void make_quick(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void watch(int epoll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  require(::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl()");
}

int listen_anywhere(std::uint16_t& port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  // SAFETY: this is how the sockets API shows addresses of all kinds.
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  require(::bind(fd, any, size) == 0 && ::listen(fd, 100) == 0, "listen()");
  ::getsockname(fd, any, &size);
  port = ntohs(address.sin_port);
  return fd;
}

// Sends back what comes, until all its connections have ended.
void serve(int listener, int connections) {
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  for (int i = 0; i < connections; ++i) {
    const int fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    make_quick(fd);
    watch(epoll, fd);
  }
  std::array<epoll_event, events_at_a_time> events;
  std::array<char, tcp_message> message;
  while (connections > 0) {
    const int ready = ::epoll_wait(epoll, events.data(), events_at_a_time, -1);
    for (int i = 0; i < ready; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      const ssize_t size = ::recv(fd, message.data(), message.size(), 0);
      if (size > 0) {
        require(::send(fd, message.data(), static_cast<std::size_t>(size), MSG_NOSIGNAL) == size,
                "send()");
      } else {
        ::close(fd);
        --connections;
      }
    }
  }
  ::close(epoll);
}

void ask(int fd) {
  const std::array<char, tcp_message> message{};
  require(::send(fd, message.data(), message.size(), MSG_NOSIGNAL) == tcp_message, "send()");
}

double ping_pong(int connections, int requests) {
  std::uint16_t port = 0;
  const int listener = listen_anywhere(port);
  std::thread server([=] { serve(listener, connections); });
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  std::vector<int> clients;
  for (int i = 0; i < connections; ++i) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(port);
    // SAFETY: as above.
    require(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0,
            "connect()");
    make_quick(fd);
    watch(epoll, fd);
    clients.push_back(fd);
  }
  const double elapsed = nanoseconds_of([&] {
    std::array<epoll_event, events_at_a_time> events;
    std::array<char, tcp_message> message;
    for (const int fd : clients) ask(fd);
    int asked = connections;
    for (int answered = 0; answered < requests;) {
      const int ready = ::epoll_wait(epoll, events.data(), events_at_a_time, -1);
      for (int i = 0; i < ready; ++i, ++answered) {
        const int fd = events[static_cast<std::size_t>(i)].data.fd;
        require(::recv(fd, message.data(), message.size(), 0) == tcp_message, "an answer");
        if (asked++ < requests) ask(fd);
      }
    }
  });
  for (const int fd : clients) ::close(fd);
  server.join();
  ::close(epoll);
  ::close(listener);
  return elapsed;
}

}  // namespace

TcpContender bare_epoll() { return {"bare epoll", ping_pong, nullptr}; }

}  // namespace bench
