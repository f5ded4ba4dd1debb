// Question: what does a request over TCP cost, and how fast are many bytes?
#include "harness.hpp"
#include "tcp_contender.hpp"

int main(int argc, char** argv) {
  const bench::Options options = bench::parse_options(argc, argv);
  constexpr int connections = 20;
  const int requests = options.quick ? 200 : 100'000;
  const std::size_t bytes = options.quick ? 1UL << 20 : 1UL << 30;
  const auto streams = bench::plait_streams(), coroutines = bench::plait_use_coroutine(),
             asio = bench::asio_callbacks(), epoll = bench::bare_epoll();
  bench::Report report("tcp: loopback, a thread for the server and one for its clients", "ns",
                       options);
  const auto asked = [&](const bench::TcpContender& one) {
    return [&one, requests] { return one.ping_pong(connections, requests) / requests; };
  };
  report.measure("a request, by streams", {{streams.name, asked(streams)},
                                           {asio.name, asked(asio), 1 / 0.85},
                                           {epoll.name, asked(epoll), 1 / 0.8}});
  report.measure("a request, by use_coroutine", {{coroutines.name, asked(coroutines)},
                                                 {asio.name, asked(asio), 1.0},
                                                 {epoll.name, asked(epoll), 1 / 0.8}});
  const auto sent = [&](const bench::TcpContender& one) {
    return [&one, bytes] { return one.bulk(bytes) / static_cast<double>(bytes >> 20); };
  };
  report.measure("a MiB of one GiB",
                 {{streams.name, sent(streams)}, {asio.name, sent(asio), 1 / 0.9}});
}
