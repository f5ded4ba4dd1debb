// The fifth example of the README: a server that sends lines back, and one who asks it.
#include <iostream>
#include <memory>
#include <plait/aio.hpp>
#include <string>

namespace aio = plait::aio;
using Reader = std::shared_ptr<aio::StreamReader>;
using Writer = std::shared_ptr<aio::StreamWriter>;

plait::Coroutine<> echo(Reader reader, Writer writer) {  // a task a connection
  for (;;) {
    const std::string line = co_await reader->readline();
    if (line.empty()) co_return;
    writer->write(line);
    co_await writer->drain();  // who receives slowly is waited for
  }
}

plait::Coroutine<> talk() {
  auto server = co_await aio::start_server(echo, "localhost", 0);
  auto [reader, writer] = co_await aio::open_connection("localhost", server->port());
  writer->write("hello\n");
  std::cout << co_await reader->readline();
}

int main() { aio::run(talk()); }
