// What tests of the event loop share: short runs, and what the exception handler was told.
#pragma once

#include <plait/aio.hpp>
#include <string>
#include <vector>

namespace plait::test {

inline Coroutine<> empty_coroutine() { co_return; }

// Runs an empty task: two iterations, as CPython's test_utils.run_briefly().
inline void run_briefly(aio::EventLoop& loop) { loop.run_until_complete(empty_coroutine()); }

// Runs exactly one iteration.
inline void run_once(aio::EventLoop& loop) {
  loop.stop();
  loop.run_forever();
}

// Yields until the tasks that the caller has made have nothing more to do.
inline Coroutine<> settle() {
  for (int i = 0; i < 10; ++i) co_await aio::yield();
}

// Takes a loop's exception handler.
class Reports {
 public:
  explicit Reports(aio::EventLoop& loop) : loop_(loop) {
    loop.set_exception_handler([this](aio::EventLoop&, const aio::ExceptionContext& context) {
      contexts_.push_back(context);
    });
  }
  ~Reports() { loop_.set_exception_handler({}); }
  Reports(const Reports&) = delete;
  Reports& operator=(const Reports&) = delete;

  std::size_t size() const { return contexts_.size(); }
  const std::string& message(std::size_t index = 0) const { return contexts_.at(index).message; }
  // Whether the report carries an E.
  template <class E>
  bool holds_error(std::size_t index = 0) const {
    try {
      if (contexts_.at(index).exception) std::rethrow_exception(contexts_.at(index).exception);
    } catch (const E&) {
      return true;
    } catch (...) {
    }
    return false;
  }

 private:
  aio::EventLoop& loop_;
  std::vector<aio::ExceptionContext> contexts_;
};

}  // namespace plait::test
