// Several jobs, each result taken as soon as it is there; a failure stays with its own future.
#include <iostream>
#include <plait/futures.hpp>
#include <stdexcept>
#include <string>

std::size_t count_digits(const std::string& text) {
  std::size_t digits = 0;
  for (const char c : text) {
    if (c == '!') throw std::invalid_argument("no exclamation marks: " + text);
    digits += c >= '0' && c <= '9';
  }
  return digits;
}

int main() {
  plait::ThreadPoolExecutor pool;
  std::vector<plait::Future<std::size_t>> futures;
  for (const std::string text : {"route 66", "7 of 9", "hey!", "1001 nights"}) {
    futures.push_back(pool.submit(count_digits, text));
  }
  //! [as_completed]
  for (const auto& future : plait::as_completed(futures)) {
    try {
      std::cout << future.result() << " digits\n";
    } catch (const std::exception& error) {
      std::cout << "failed: " << error.what() << '\n';
    }
  }
  //! [as_completed]
}
