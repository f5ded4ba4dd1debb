// Question: how much memory does a connection take that has had a request and is idle now?
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <cstdint>
#include <fstream>
#include <memory>
#include <plait/aio.hpp>
#include <string>
#include <utility>

#include "harness.hpp"
#include "in_child.hpp"

namespace {

namespace aio = plait::aio;
namespace asio = boost::asio;
using asio::ip::tcp;

constexpr std::size_t message = 64;
constexpr int backlog = 1024;

double resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  double total = 0, resident = 0;
  statm >> total >> resident;
  return resident * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

// A process that connects, has one message echoed by each connection, and holds them.
class Clients {
 public:
  explicit Clients(int connections) : connections_(connections) {
    bench::require(::pipe(port_) == 0, "pipe()");
    child_ = ::fork();
    if (child_ == 0) run();
  }
  ~Clients() {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }
  Clients(const Clients&) = delete;
  Clients& operator=(const Clients&) = delete;

  void connect_to(std::uint16_t port) const {
    bench::require(::write(port_[1], &port, sizeof port) == sizeof port, "the clients' port");
  }

 private:
  [[noreturn]] void run() const {
    sockaddr_in server{};
    server.sin_family = AF_INET;
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    std::uint16_t port = 0;
    bench::require(::read(port_[0], &port, sizeof port) == sizeof port, "the server's port");
    server.sin_port = htons(port);
    for (int i = 0; i < connections_; ++i) {
      const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
      const auto* const address = reinterpret_cast<const sockaddr*>(&server);
      bench::require(::connect(fd, address, sizeof server) == 0, "connect()");
      std::array<char, message> text{};
      bench::require(::write(fd, text.data(), message) == message, "a request");
      bench::require(::recv(fd, text.data(), message, MSG_WAITALL) == message, "its answer");
    }
    for (;;) ::pause();
  }

  const int connections_;
  int port_[2]{};
  pid_t child_;
};

// ---------------------------------------------------------------- plait's streams

struct Served {
  int left;
  aio::Event all{};
};

plait::Coroutine<> echo(Served& served, std::shared_ptr<aio::StreamReader> reader,
                        std::shared_ptr<aio::StreamWriter> writer) {
  for (;;) {
    const std::string request = co_await reader->readexactly(message);
    writer->write(request);
    co_await writer->drain();
    if (--served.left == 0) served.all.set();
  }
}

plait::Coroutine<double> serve_streams(const Clients& clients, int connections) {
  Served served{connections};
  aio::StreamOptions options;
  options.backlog = backlog;
  const auto server = co_await aio::start_server(
      [&served](auto reader, auto writer) { return echo(served, reader, writer); }, "127.0.0.1", 0,
      options);
  const double before = resident_bytes();
  clients.connect_to(server->port());
  co_await served.all.wait();
  const double bytes = resident_bytes() - before;
  server->close();
  server->abort_clients();
  co_return bytes / connections;
}

double plait_streams(int connections) {
  const Clients clients(connections);
  aio::EventLoop loop;
  loop.set_exception_handler([](auto&&...) {});  // the connections that are aborted in the end
  return loop.run_until_complete(serve_streams(clients, connections));
}

// ---------------------------------------------------------------- Asio's callbacks

struct Session : std::enable_shared_from_this<Session> {
  Session(tcp::socket accepted, asio::io_context& loop, int& left_)
      : socket(std::move(accepted)), context(loop), left(left_) {}

  void read() {
    socket.async_read_some(asio::buffer(buffer),
                           [self = shared_from_this()](auto error, auto size) {
                             if (!error) self->answer(size);
                           });
  }
  void answer(std::size_t size) {
    asio::async_write(socket, asio::buffer(buffer.data(), size),
                      [self = shared_from_this()](auto error, auto) {
                        if (error) return;
                        if (--self->left == 0) self->context.stop();
                        self->read();
                      });
  }

  tcp::socket socket;
  asio::io_context& context;
  int& left;
  std::array<char, 1024> buffer;  // what plait's reader has for little that comes
};

void accept(asio::io_context& context, tcp::acceptor& acceptor, int& left) {
  acceptor.async_accept([&](auto error, tcp::socket socket) {
    if (error) return;
    std::make_shared<Session>(std::move(socket), context, left)->read();
    accept(context, acceptor, left);
  });
}

double asio_callbacks(int connections) {
  const Clients clients(connections);
  int left = connections;
  asio::io_context context(1);
  tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
  acceptor.listen(backlog);
  const double before = resident_bytes();
  clients.connect_to(acceptor.local_endpoint().port());
  accept(context, acceptor, left);
  context.run();
  return (resident_bytes() - before) / connections;
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Options options = bench::parse_options(argc, argv, {.repeat = 2});
  const int connections = options.quick ? 100 : 10'000;
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  bench::Report report("idle_connections: " + std::to_string(connections) +
                           " that were served once, the memory of the server",
                       "a connection", options);
  const auto bytes = [connections](double (*run)(int)) {
    return [=] { return bench::in_child([&] { return run(connections); }); };
  };
  constexpr double aim_bytes = 6 * 1024.0;
  report.measure("resident bytes", {{"plait, streams", bytes(&plait_streams), aim_bytes},
                                    {"Boost.Asio, callbacks", bytes(&asio_callbacks)}});
}
