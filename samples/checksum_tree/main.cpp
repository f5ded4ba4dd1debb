// checksum_tree: sha256sum for whole trees, in parallel. The tour starts at ordered_hashing.hpp.
#include <clocale>
#include <csignal>
#include <cstdio>
#include <exception>

#include "modes.hpp"

namespace {

using namespace checksum_tree;

constexpr int usage_status = 2;

int run(const Options& options) {
  Session session;
  try {
    const int status = options.list ? check_list(options, session) : hash_trees(options, session);
    session.output.close();
    return status;
  } catch (const std::exception& error) {
    // Ctrl-C reaches the whole pipeline; that our reader went with it is no news.
    if (session.interrupt.token().stop_requested()) return session.interrupt.exit_status();
    session.console.say(error.what());
    return 1;
  }
}

int show_help() {
  const bool shown = std::fputs(help_text().c_str(), stdout) >= 0 && std::fflush(stdout) == 0;
  return shown ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  std::setlocale(LC_CTYPE, "");   // messages show names in the user's characters
  std::signal(SIGPIPE, SIG_IGN);  // a reader that has gone is a write error with a message
  try {
    const Options options = parse_options(argc, argv);
    return options.wants_help ? show_help() : run(options);
  } catch (const UsageError& error) {
    if (*error.what() != '\0') std::fprintf(stderr, "checksum_tree: %s\n", error.what());
    std::fputs("Try 'checksum_tree --help'.\n", stderr);
    return usage_status;
  }
}
