// job_service: an HTTP service whose requests are jobs. The tour starts at service.hpp.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <plait/aio.hpp>
#include <string>

#include "http_server.hpp"
#include "options.hpp"
#include "service.hpp"

namespace {

using namespace job_service;
namespace aio = plait::aio;

constexpr int usage_status = 2;

// Exists until the end of the scope.
struct TemporaryFolder {
  TemporaryFolder() {
    if (mkdtemp(path.data()) == nullptr) throw std::runtime_error("no temporary folder: " + path);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string path = std::filesystem::temp_directory_path() / "job_service.XXXXXX";
};

plait::Coroutine<> serve(const Options& options, Service& service) {
  auto& loop = aio::get_running_loop();
  HttpServer server(loop, static_cast<unsigned short>(options.port), options,
                    [&service](const Request& request) { return service.answer(request); });
  for (const int signal : {SIGTERM, SIGINT}) {
    loop.add_signal_handler(signal, [&server] { server.stop(); });
  }
  std::cout << "listening on http://127.0.0.1:" << server.port() << "/" << std::endl;
  co_await server.serve();
  for (const int signal : {SIGTERM, SIGINT}) loop.remove_signal_handler(signal);
}

void run(const Options& options) {
  const TemporaryFolder folder;
  Service service(options,
                  options.database.empty() ? folder.path + "/orders.sqlite" : options.database);
  aio::run(serve(options, service));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const Options options = parse_options(argc, argv);
    if (options.wants_help) {
      std::cout << help_text();
    } else {
      run(options);
    }
    return EXIT_SUCCESS;
  } catch (const UsageError& error) {
    if (*error.what() != '\0') std::cerr << "job_service: " << error.what() << '\n';
    std::cerr << "Try 'job_service --help'.\n";
    return usage_status;
  } catch (const std::exception& error) {
    std::cerr << "job_service: " << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
