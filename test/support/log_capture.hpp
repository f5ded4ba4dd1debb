// Takes plait's log for the length of a scope, so that a test can read it.
#pragma once

#include <mutex>
#include <plait/core/log.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace plait::test {

class LogCapture {
 public:
  LogCapture() {
    set_log_handler([this](LogLevel level, std::string_view text) {
      const std::scoped_lock lock(mutex_);
      entries_.push_back({level, std::string(text)});
    });
  }
  ~LogCapture() { set_log_handler({}); }
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;

  std::size_t size() const {
    const std::scoped_lock lock(mutex_);
    return entries_.size();
  }
  // How many entries hold all of the words.
  template <class... Words>
  int count(const Words&... words) const {
    const std::scoped_lock lock(mutex_);
    int matches = 0;
    for (const auto& entry : entries_) {
      matches += (... && (entry.text.find(words) != std::string::npos));
    }
    return matches;
  }

 private:
  struct Entry {
    LogLevel level;
    std::string text;
  };
  mutable std::mutex mutex_;
  std::vector<Entry> entries_;
};

// The text of the plait::Error or other std::exception that calling body throws as E; empty where
// it throws none.
template <class E, class Body>
std::string text_of(Body body) {
  try {
    body();
  } catch (const E& error) {
    return error.what();
  }
  return {};
}

inline bool holds(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace plait::test
